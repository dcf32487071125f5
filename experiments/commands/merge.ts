import { describePlan, merge, planMerge, planTable } from '#fusion';
import type { Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { takenProblem } from '#src/storage';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { EXPERIMENT_OPTIONS, foldersOf } from '../options/index.js';

const { set, root, out, overwrite } = EXPERIMENT_OPTIONS;

/** `tokenfuse merge`: joins two backbones. */
export const mergeCommand: Command = {
  name: 'merge',
  summary: "Concatenate two backbones' parameter-token groups into joint layers",
  positionals: [{ name: 'recipe.yaml', description: 'an experiment of kind merge' }],
  options: {
    set,
    root,
    out,
    overwrite,
    'dry-run': { description: 'read headers only, print the plan and every problem' },
  },
  run: async (args, output) => {
    const recipe = parseExperimentOf(args.positionals[0], ['merge'], args.texts('set'));
    const folders = foldersOf(args);
    const outDir = folders.out(recipe);
    const dryRun = args.flag('dry-run');
    const { plan, problems } = planMerge(recipe, folders.root);
    const taken = args.flag('overwrite') ? undefined : takenProblem(outDir);
    const all = taken === undefined || dryRun ? problems : [...problems, taken];
    if (plan === undefined || all.length > 0) throw new ConfigError(all);
    for (const line of describePlan(plan)) output.line(line);
    const { groups, parameters, bytes, gates } = plan;
    if (dryRun) {
      output.line(planTable(plan));
      if (taken !== undefined) output.line(`warning: ${taken}`);
      return { dryRun, problems: taken === undefined ? [] : [taken], groups, gates, parameters, bytes };
    }
    const report = merge(plan, outDir, { overwrite: args.flag('overwrite'), say: output.line });
    output.line(`kept        ${report.tensors.length} backbone tensors, equal by SHA-256`);
    output.line(`written     ${outDir}`);
    return { outDir, ...report };
  },
};
