import { modelBackbones } from '#fusion';
import { type Command, type JsonObject, renderTable } from '#src/cli';
import { printable } from '#src/errors';
import { type GroupFile, readGroupFile, shortHash } from '#src/groups';
import { fileStatus } from '#src/storage';
import { LAYER_NAMES, stackGroups } from '#src/tokenformer';

/** One line of the list. */
interface Listed {
  readonly path: string;
  readonly name: string;
  readonly kind: string;
  readonly backbone: string;
  readonly tokens: string;
  readonly json: JsonObject;
}

/** `tokenfuse groups`: what group files hold, and which backbones and groups models have. */
export const groupsCommand: Command = {
  name: 'groups',
  summary: 'List the groups in group files and in models, and the backbones that they belong to',
  details:
    'A group goes with every model that has its backbone, told by its SHA-256, alone or merged. tokens: parameter tokens in each ' +
    'query, key, value, output and ffn layer of a block.',
  positionals: [{ name: 'path', description: 'group files, and models: run directories or checkpoints', rest: true }],
  options: {},
  run: async ({ positionals }, output) => {
    const listed = positionals.flatMap((path) =>
      fileStatus(path, 'group')?.isDirectory() ? ofModel(path) : [ofFile(path)],
    );
    const cells = listed.map(({ path, name, kind, backbone, tokens }) =>
      [path, name, kind, backbone, tokens].map(printable),
    );
    output.line(renderTable(['where', 'name', 'kind', 'backbone', 'tokens'], cells, { maxWidth: 120 }));
    return { groups: listed.map(({ path, json }) => ({ path, ...json })) };
  },
};

function ofFile(path: string): Listed {
  const { description, sha256 }: GroupFile = readGroupFile(path);
  const json = { ...description, sha256 };
  if (description.kind === 'bridge') {
    const { name, visionSha256, languageSha256 } = description;
    return {
      path,
      name,
      kind: 'bridge',
      backbone: `${shortHash(visionSha256)} + ${shortHash(languageSha256)}`,
      tokens: '',
      json,
    };
  }
  const { group, backbone, backboneSha256, head } = description;
  const kind = `${group.kind === 'linear' ? 'lora' : 'tokens'}${head ? ', head' : ''}`;
  return {
    path,
    name: group.name,
    kind,
    backbone: `${backbone} ${shortHash(backboneSha256)}`,
    tokens: tokensOf(group),
    json,
  };
}

/** The backbones of a model, each group a line. */
function ofModel(path: string): Listed[] {
  return modelBackbones(path).flatMap(({ backbone, sha256, stack }) =>
    stackGroups(stack, backbone).map(({ name, paramTokens, norm }, i) => {
      const kind = i === 0 ? 'backbone' : norm === 'linear' ? 'lora' : 'tokens';
      const json = { kind, name, backbone, backboneSha256: sha256, paramTokens };
      return { path, name, kind, backbone: `${backbone} ${shortHash(sha256)}`, tokens: tokensOf(paramTokens), json };
    }),
  );
}

/** `16` where all layers have as many, else `16 16 16 16 48`. */
function tokensOf(paramTokens: Readonly<Record<(typeof LAYER_NAMES)[number], number>>): string {
  const all = LAYER_NAMES.map((layer) => paramTokens[layer]);
  return new Set(all).size === 1 ? String(all[0]) : all.join(' ');
}
