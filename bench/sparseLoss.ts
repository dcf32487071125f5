/**
 * @file Validation loss of a language backbone against the parameter tokens that are used, after it was trained:
 * `npm run bench:sparse-loss -- experiments/shakespeare/language.yaml runs/shakespeare [engine]`.
 *
 * The second word is the `--root` of its training. The loss is that of its training's evaluations, over all validation text.
 */
import { resolve } from 'node:path';
import { LanguageExperiment, languageTask, loadLanguageModel, openTextDataset } from '#language';
import { renderTable } from '#src/cli';
import { loadConfig } from '#src/config';
import { type EngineName, selectEngine } from '#src/engine';
import { parseSparsity } from '#src/tokenformer';

const SPARSITIES = [
  ...['100%', '50%', '25%', '12.5%', '6.25%', '3.125%', '1.5625%'],
  ...['clusters:32/64', 'clusters:16/64', 'clusters:8/64', 'clusters:4/64', 'clusters:2/64'],
  ...['clusters:64/256', 'clusters:32/256'],
];

const [file, root, engine = 'auto'] = process.argv.slice(2);
if (root === undefined) throw new Error('bench: expected a language experiment and the --root of its training');
const { name, device } = await selectEngine(engine as 'auto' | EngineName);
const experiment = loadConfig(file, LanguageExperiment).config;
const model = loadLanguageModel(resolve(root, experiment.name));
const dataset = openTextDataset(experiment.data, model.tokenizer, {
  cacheDir: resolve('.tokenfuse/cache'),
  baseDir: resolve(root),
  seed: experiment.seed,
});
const { evaluate } = languageTask(model.tree, model.config, dataset, experiment);
const rows: string[][] = [];
for (const text of SPARSITIES) {
  model.tree.useSparsity(parseSparsity(text));
  const metrics = await evaluate?.(() => undefined);
  const loss = metrics?.['validation/loss'] ?? Number.NaN;
  rows.push([text, loss.toFixed(4), (loss - Number(rows[0]?.[1] ?? loss)).toFixed(4)]);
}
process.stdout.write(`${name}: ${device}; ${dataset.validation?.numTokens} tokens\n\n`);
process.stdout.write(`${renderTable(['parameter tokens used', 'validation loss', 'more'], rows)}\n`);
dataset.dispose();
model.dispose();
