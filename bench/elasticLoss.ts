/**
 * @file Validation loss against the size of a prefix, of a language backbone trained by nested dropout and of one trained whole,
 * beside smaller ones trained on their own: `npm run bench:elastic -- experiments/shakespeare/language.yaml runs/shakespeare
 * [engine] [steps] [seed]`. The second word is the `--root` of the experiment, which has its tokenizer.
 *
 * The nested run has as many operations as the whole one, and so more steps; those on their own have the whole one's steps.
 */
import { resolve } from 'node:path';
import { createLanguageParameters, LanguageExperiment, languageTask, loadTokenizer, openTextDataset } from '#language';
import { renderTable } from '#src/cli';
import { loadConfig } from '#src/config';
import { type EngineName, selectEngine } from '#src/engine';
import type { StackConfig } from '#src/stacks';
import { ParameterTree, prefixStack, type TokenFormerConfig } from '#src/tokenformer';
import { AdamW, type NestedConfig, nestedTask, type TrainingTask, trainStep } from '#src/training';

const SHARES = [1, 1 / 2, 1 / 4, 1 / 8];
const NESTED: NestedConfig = { least: 1 / 8, whole: 0 };

const [file, root, engine = 'auto', givenSteps, givenSeed] = process.argv.slice(2);
if (root === undefined) throw new Error('bench: expected a language experiment and its --root');
const { name, device } = await selectEngine(engine as 'auto' | EngineName);
const { config: experiment } = loadConfig(file, LanguageExperiment);
const { training, data, model } = experiment;
const numSteps = Number(givenSteps ?? training.steps);
const seed = Number(givenSeed ?? experiment.seed);
const whole = model.stack as TokenFormerConfig;
const tokenizer = loadTokenizer(experiment.tokenizer, { baseDir: resolve(root) });
const { vocabSize } = tokenizer;
const dataset = openTextDataset(data, tokenizer, {
  cacheDir: resolve('.tokenfuse/cache'),
  baseDir: resolve(root),
  seed,
});

const rows: string[][] = [];
/** Of each size trained on its own; the whole one is the first of them. */
const own: number[] = [];
for (const [label, nested] of [['whole', undefined] as const, ['nested', NESTED] as const]) {
  const tree = newTree(whole);
  const steps = await train(tree, whole, nested);
  const losses: number[] = [];
  for (const share of SHARES) losses.push(await lossOf(tree, prefixStack(whole, { share })));
  if (nested === undefined) own.push(losses[0]);
  rows.push([label, String(steps), ...losses.map((loss) => loss.toFixed(4))]);
  tree.dispose();
}
for (const share of SHARES.slice(1)) {
  const stack = prefixStack(whole, { share });
  const tree = newTree(stack);
  await train(tree, stack);
  own.push(await lossOf(tree, stack));
  tree.dispose();
}
rows.push(['each size on its own', String(numSteps), ...own.map((loss) => loss.toFixed(4))]);
process.stdout.write(
  `${name}: ${device}; seed ${seed}, ${dataset.validation?.numTokens} tokens of validation text\n\n`,
);
process.stdout.write(`${renderTable(['trained', 'steps', ...SHARES.map((share) => `${100 * share}%`)], rows)}\n`);
dataset.dispose();
tokenizer.dispose();

function newTree(stack: StackConfig): ParameterTree {
  const backbone = { vocabSize, seqLen: data.seqLen, stack };
  return new ParameterTree(createLanguageParameters(backbone, seed, model.embeddingStd));
}

function taskOf(tree: ParameterTree, stack: StackConfig): TrainingTask {
  return languageTask(tree, { vocabSize, seqLen: data.seqLen, stack }, dataset, experiment);
}

/** Trains with the operations of `numSteps` steps of the stack; @returns the steps */
async function train(tree: ParameterTree, stack: StackConfig, nested?: NestedConfig): Promise<number> {
  const task = nestedTask(stack, nested, seed, (part) => taskOf(tree, part));
  const budget = numSteps * flopsOf(taskOf(tree, stack), 1);
  let steps = 0;
  for (let spent = 0; spent < budget; steps++) spent += flopsOf(task, steps + 1);
  const config = { ...training, steps };
  const optimizer = new AdamW(tree, config);
  for (let step = 1; step <= steps; step++) await trainStep(task, config, optimizer, { step });
  optimizer.dispose();
  return steps;
}

/** Of a training step, which counts from 1. */
function flopsOf(task: TrainingTask, step: number): number {
  const first = (step - 1) * training.gradientAccumulation;
  let flops = 0;
  for (let i = 0; i < training.gradientAccumulation; i++) flops += task.flopsIn?.(first + i) ?? Number.NaN;
  return flops;
}

async function lossOf(tree: ParameterTree, stack: StackConfig): Promise<number> {
  const { 'validation/loss': loss } = await taskOf(tree, stack).evaluate(() => undefined);
  return loss;
}
