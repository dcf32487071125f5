import { existsSync } from 'node:fs';
import { describePlan, merge, planMerge, planTable } from '#fusion';
import type { Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { EXPERIMENT_OPTIONS, foldersOf } from '../options/index.js';

const { set, root, out } = EXPERIMENT_OPTIONS;

/** `tokenfuse merge`: joins two backbones. */
export const mergeCommand: Command = {
  name: 'merge',
  summary: "Concatenate two backbones' parameter-token groups into joint layers",
  positionals: [{ name: 'recipe.yaml', description: 'an experiment of kind merge' }],
  options: { set, root, out, 'dry-run': { description: 'read headers only, print the plan and every problem' } },
  run: async (args, output) => {
    const recipe = parseExperimentOf(args.positionals[0], ['merge'], args.texts('set'));
    const folders = foldersOf(args);
    const outDir = folders.out(recipe);
    const dryRun = args.flag('dry-run');
    const { plan, problems } = planMerge(recipe, folders.root);
    const taken = existsSync(outDir) ? [`${outDir}: exists already; expected a new folder for the merged model`] : [];
    if (plan === undefined || (taken.length > 0 && !dryRun)) throw new ConfigError([...problems, ...taken]);
    for (const line of describePlan(plan)) output.line(line);
    const { groups, parameters, bytes, gates } = plan;
    if (dryRun) {
      output.line(planTable(plan));
      for (const problem of taken) output.line(`warning: ${problem}`);
      return { dryRun, problems: taken, groups, gates, parameters, bytes };
    }
    const report = merge(plan, outDir);
    output.line(`kept        ${report.tensors.length} backbone tensors, equal by SHA-256`);
    output.line(`written     ${outDir}`);
    return { outDir, ...report };
  },
};
