import { join, resolve } from 'node:path';
import { captionSourceArgument } from '#captions/formats';
import { INSPECTION, type Inspection, inspectModel, modelName } from '#evaluation/inspection';
import { INSPECTION_PAGE, writeInspection } from '#evaluation/inspectionPage';
import type { Arguments, Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { inOutputEntry } from '#src/storage';
import { findCheckpoint } from '#src/training';
import { ENGINE_OPTIONS, EXPERIMENT_OPTIONS, OVERWRITE_OPTION, startEngine, wholeNumber } from '../options/index.js';

const { 'cache-dir': cacheDir } = EXPERIMENT_OPTIONS;

/** `tokenfuse inspect`: what the parameter tokens of a model do. */
export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'Show how a model uses its parameter tokens, and what excites each of them',
  details:
    'Works on any run or checkpoint and changes nothing in it. Data: the validation data of the run unless other data is named; ' +
    'a merged or converted model without a run has none, and its parameters alone are shown.',
  positionals: [{ name: 'model', description: 'a model of any kind: run directory or checkpoint' }],
  options: {
    out: {
      description: `folder for ${INSPECTION_PAGE} and ${INSPECTION} (default: <model>-inspection, here)`,
      placeholder: 'dir',
    },
    images: {
      description: 'images, or a folder of them; with --captions the folder of its image files',
      placeholder: 'path',
      multiple: true,
    },
    text: { description: 'a text or JSONL file, for what reads text', placeholder: 'file', multiple: true },
    captions: { description: 'images with captions of any format, for a merged model', placeholder: 'captions' },
    'no-data': { description: 'the parameters alone' },
    limit: { description: 'most images, texts or pairs (default 256)', placeholder: 'n' },
    contexts: { description: 'patches and texts kept of a parameter token (default 6)', placeholder: 'n' },
    show: { description: 'parameter tokens of a group on the page (default 6); the JSON has all', placeholder: 'n' },
    'dead-share': {
      description: 'a token is dead if never used above this share of the mean of its layer (default 0.1)',
      placeholder: 'x',
    },
    root: {
      description: "where paths in the run's experiment start (default: the folder of the run, or here)",
      placeholder: 'dir',
    },
    'cache-dir': cacheDir,
    ...OVERWRITE_OPTION,
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const [path] = args.positionals;
    const out = resolve(args.text('out') ?? `${modelName(resolve(path))}-inspection`);
    const options = { ...optionsOf(args), note: (line: string): void => output.line(line) };
    const show = wholeNumber(args, 'show', 1, 6);
    findCheckpoint(path);
    return await inOutputEntry(out, { overwrite: args.flag('overwrite'), say: output.line }, async () => {
      const engine = await startEngine(args, output);
      const summary = await inspectModel(resolve(path), options, async (inspection, views) => {
        await writeInspection(out, inspection, views, show);
        return summaryOf(inspection);
      });
      if (summary.data === null) {
        output.line('no data: the parameters alone were inspected; name data with --images, --text or --captions');
      }
      output.line(`${summary.groups} groups, ${summary.paramTokens} parameter tokens, ${summary.dead} of them dead`);
      output.line(`inspection: ${join(out, INSPECTION_PAGE)}`);
      return { out, engine, ...summary };
    });
  },
};

function optionsOf(args: Arguments) {
  const [images, texts, captions] = [args.texts('images'), args.texts('text'), args.text('captions')];
  const root = args.text('root');
  const withData = !args.flag('no-data');
  const named = [...images, ...texts, captions].filter((value) => value !== undefined);
  if (!withData && named.length > 0) {
    throw new ConfigError(`--no-data: expected no data beside it, got '${named[0]}'; leave one out`);
  }
  if (captions !== undefined && (texts.length > 0 || images.length > 1)) {
    throw new ConfigError('--captions: expected at most one --images beside it, its folder of images, and no --text');
  }
  const deadShare = Number(args.text('dead-share') ?? 0.1);
  if (!(deadShare >= 0 && deadShare < 1)) {
    throw new ConfigError(`--dead-share: expected a number from 0 to below 1, got '${args.text('dead-share')}'`);
  }
  return {
    images,
    texts: texts.map(captionSourceArgument),
    captions: captions === undefined ? undefined : captionSourceArgument(captions),
    withData,
    limit: wholeNumber(args, 'limit', 1, 256),
    contexts: wholeNumber(args, 'contexts', 1, 6),
    deadShare,
    root: root === undefined ? undefined : resolve(root),
    cacheDir: resolve(args.text('cache-dir') ?? join('.tokenfuse', 'cache')),
  };
}

function summaryOf({ data, groups }: Inspection) {
  return {
    data,
    groups: groups.length,
    paramTokens: groups.reduce((sum, { numParamTokens }) => sum + numParamTokens, 0),
    dead: groups.reduce((sum, group) => sum + deadTokens(group), 0),
  };
}

/** Parameter tokens that are dead in everything that uses their group. */
function deadTokens({ uses }: Inspection['groups'][number]): number {
  if (uses.length === 0) return 0;
  const [first, ...others] = uses.map(({ dead }) => new Set(dead));
  return [...first].filter((token) => others.every((dead) => dead.has(token))).length;
}
