import { resolve } from 'node:path';
import { describePlan, merge, planMerge, MergeRecipe as Recipe, unmerge } from '#fusion';
import { parseConfig } from '#src/config';
import { ConfigError } from '#src/errors';
import { findCheckpoint } from '#src/training';
import type { MergePlan, MergeRecipe, MergeReport } from '../merging.js';

function plan(recipe: MergeRecipe) {
  const parsed = parseConfig({ kind: 'merge', name: 'merge', ...recipe }, Recipe, 'recipe');
  const { plan: found, problems } = planMerge(parsed, process.cwd());
  if (found === undefined) throw new ConfigError(problems);
  return found;
}

export function planRecipe(recipe: MergeRecipe): MergePlan {
  const found = plan(recipe);
  const { groups, parameters, bytes } = found;
  return { description: describePlan(found), groups, parameters, bytes };
}

export function mergeRecipe(recipe: MergeRecipe, directory: string): MergeReport {
  return merge(plan(recipe), resolve(directory));
}

export function unmergeModel(path: string, into: { readonly vision: string; readonly language: string }): void {
  unmerge(findCheckpoint(path), resolve(into.vision), resolve(into.language));
}
