import { resolve } from 'node:path';
import { readAnyModel } from '#fusion';
import type { Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { chooseGroups, groupIdentity, groupPaths, groupsSha256, nameOf } from '#src/remote';
import { inOutputEntry, takenProblem } from '#src/storage';
import { ABSENT_GROUPS, absentGroupsFile, findCheckpoint, groupTensors, writeCheckpoint } from '#src/training';
import { OVERWRITE_OPTION } from '../options/index.js';

/** `tokenfuse split-params`: a checkpoint for a device, whose other groups a server holds. */
export const splitParamsCommand: Command = {
  name: 'split-params',
  summary: 'Write a model without some of its groups, which a server holds: a checkpoint for a device',
  details:
    'generate, caption and evaluate run it with --remote and the url of tokenfuse serve-params, which holds the groups of the whole ' +
    'model. The checkpoint names the groups it lacks by their SHA-256; those of another model are refused.',
  positionals: [
    { name: 'model', description: 'a vision, language, merged or aligned model: run directory or checkpoint' },
    { name: 'out', description: 'folder of the new checkpoint' },
  ],
  options: {
    groups: { description: 'the groups to leave out, as --groups of serve-params', placeholder: 'patterns' },
    ...OVERWRITE_OPTION,
  },
  run: async (args, output) => {
    const [path, out] = args.positionals;
    const patterns = args.text('groups');
    if (patterns === undefined) throw new ConfigError('expected --groups: the groups that a server will hold');
    const outDir = resolve(out);
    const overwrite = { overwrite: args.flag('overwrite'), say: output.line };
    const taken = overwrite.overwrite ? undefined : takenProblem(outDir);
    if (taken !== undefined) throw new ConfigError(taken);
    const { model, tensors, assets } = readAnyModel(findCheckpoint(path));
    const paths = chooseGroups(groupPaths(tensors.keys()), patterns, '--groups');
    const absent = new Map(paths.map((group) => [group, groupIdentity(group, tensors)]));
    const left = new Set(paths.flatMap(groupTensors));
    const kept = new Map([...tensors].filter(([name]) => !left.has(name)));
    const checkpoint = {
      model,
      tensors: kept,
      assets: new Map([...assets, [ABSENT_GROUPS, absentGroupsFile(absent)]]),
    };
    await inOutputEntry(outDir, overwrite, () => writeCheckpoint(outDir, checkpoint));
    const count = (of: typeof tensors): number => [...of.values()].reduce((sum, { values }) => sum + values.length, 0);
    const [whole, here] = [count(tensors), count(kept)];
    const names = [...new Set(paths.map(nameOf))].join(', ');
    output.line(`${here.toLocaleString('en-US')} of ${whole.toLocaleString('en-US')} parameters in ${outDir}`);
    output.line(`without ${paths.length} groups (${names}); a server holds them with:`);
    output.line(`  tokenfuse serve-params ${path} --groups '${patterns}'`);
    return { outDir, groups: paths.length, sha256: groupsSha256(absent), parameters: { whole, here } };
  },
};
