import { existsSync } from 'node:fs';
import { describePlan, planMerge, planTable } from '#fusion';
import type { Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { EXPERIMENT_OPTIONS, placesOf } from '../experimentOptions.js';
import { parseExperimentOf } from '../parseExperiment.js';
import { mergeStage } from '../stages.js';

const { set, root, out } = EXPERIMENT_OPTIONS;

/** `tokenfuse merge`: joins two backbones. */
export const mergeCommand: Command = {
  name: 'merge',
  summary: "Concatenate two backbones' parameter-token groups into joint layers.",
  positionals: [{ name: 'recipe.yaml', description: 'an experiment of kind merge' }],
  options: { set, root, out, 'dry-run': { description: 'read headers only, print the plan and every problem' } },
  run: async (args, output) => {
    const recipe = parseExperimentOf(args.positionals[0], ['merge'], args.texts('set'));
    const places = placesOf(args);
    const outDir = places.out(recipe.name);
    const { plan, problems } = planMerge(recipe, places.root);
    if (existsSync(outDir)) problems.push(`${outDir}: exists already; expected a new folder for the merged model`);
    if (plan === undefined || problems.length > 0) throw new ConfigError(problems);
    for (const line of describePlan(plan)) output.line(line);
    const { groups, parameters, bytes, gates } = plan;
    if (args.flag('dry-run')) output.line(planTable(plan));
    if (args.flag('dry-run')) return { dryRun: true, problems, groups, gates, parameters, bytes };
    const report = mergeStage(recipe, places.root, outDir);
    output.line(`kept        ${report.tensors.length} backbone tensors, equal by SHA-256`);
    output.line(`written     ${outDir}`);
    return { outDir, ...report };
  },
};
