/**
 * @file The tuning study: a backbone of English sentences learns two other tasks by a group of parameter tokens, by LoRA of as
 * many parameters, and by training all parameters of a copy; what it still knows of English is measured too.
 * `npm run study:tuning` writes the table of docs/tuning.md; what is done already is kept.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  attachLanguageGroup,
  detachLanguageGroup,
  type LanguageModel,
  languageTask,
  loadLanguageModel,
  openTextDataset,
} from '#language';
import { runCli, standardStreams } from '#src/cli';
import { selectEngine } from '#src/engine';
import { RunError } from '#src/errors';
import { makeFolder, readText, replaceSection, writeFileAtomic } from '#src/storage';
import { TrainingConfig } from '#src/training';
import { PROGRAM } from '../program.js';
import { packageRoot } from '../stages/index.js';
import { inGerman } from './germanWords.js';

/** What the new tasks make of an English sentence, by the folder of their text. */
const TASKS = {
  german: inGerman,
  reversed: (sentence: string): string => sentence.split(' ').reverse().join(' '),
};
type Task = keyof typeof TASKS;

/** Sentences of a new task: few, as a task to tune on has. */
const TUNING_SENTENCES = 512;
const SEEDS = [1, 2, 3];
const LEARNING_RATES = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1];

/** Ways of tuning; a group of n tokens and a LoRA of rank n have as many parameters. */
const ARMS = [
  { name: '8 tokens', settings: ['method=tokens', 'group.tokens=8'] },
  { name: 'LoRA, rank 8', settings: ['method=lora', 'group.tokens=8'] },
  { name: '32 tokens', settings: ['method=tokens', 'group.tokens=32'] },
  { name: 'LoRA, rank 32', settings: ['method=lora', 'group.tokens=32'] },
  { name: 'all parameters', settings: ['method=full'] },
];
type Arm = (typeof ARMS)[number];

/** In nats per token. */
interface Losses {
  readonly task: number;
  readonly english: number;
}

const root = process.argv[2] ?? 'runs/tuning';
const backbone = join(root, 'language');
const ENGLISH = 'data/language';
const yaml = (name: string): string => fileURLToPath(new URL(`experiments/tuning/${name}.yaml`, packageRoot));
const linesOf = (path: string): string[] => readText(path, 'study').trimEnd().split('\n');

async function command(...words: string[]): Promise<void> {
  const code = await runCli(PROGRAM, [...words, '--root', root], standardStreams());
  if (code !== 0) throw new RunError(`tokenfuse ${words.join(' ')} ended with exit code ${code}`);
}

async function prepare(): Promise<void> {
  await command('scenes', yaml('scenes'));
  for (const [task, change] of Object.entries(TASKS)) {
    makeFolder(join(root, task));
    for (const split of ['train', 'val']) {
      const sentences = linesOf(join(root, ENGLISH, `${split}.txt`)).slice(0, TUNING_SENTENCES);
      writeFileAtomic(join(root, task, `${split}.txt`), `${sentences.map(change).join('\n')}\n`);
    }
  }
  if (!existsSync(join(root, 'tokenizer'))) await command('tokenizer', 'train', yaml('tokenizer'));
  await command('train', yaml('language'), '--resume');
}

/** Tunes by one arm and returns the run directory. */
async function tuned(task: Task, { name, settings }: Arm, learningRate: number, seed: number): Promise<string> {
  const run = join(root, 'tuned', task, name.replaceAll(/\W+/g, '-'), `${learningRate}-${seed}`);
  const isFull = settings.includes('method=full');
  const all = [
    ...[...settings, ...(isFull ? [] : [`group.name=${task}`])],
    ...[`language.data.files.0=${task}/train.txt`, `language.data.validationFiles.0=${task}/val.txt`],
    ...[`training.learningRate=${learningRate}`, `seed=${seed}`],
  ];
  const file = isFull ? withoutGroup() : yaml('tune');
  await command('tune', file, ...all.flatMap((setting) => ['--set', setting]), '--out', run, '--resume');
  return run;
}

/** The experiment without its group, which method full refuses. */
function withoutGroup(): string {
  const path = join(root, 'full.yaml');
  writeFileAtomic(
    path,
    linesOf(yaml('tune'))
      .filter((line) => !line.startsWith('group:'))
      .join('\n'),
  );
  return path;
}

/** Mean loss on the validation sentences in a folder. */
async function lossOn({ tree, config, tokenizer }: LanguageModel, folder: string): Promise<number> {
  const files = { files: [join(folder, 'train.txt')], validationFiles: [join(folder, 'val.txt')] };
  const text = { ...files, documents: 'line', layout: 'documents', seqLen: config.seqLen } as const;
  const places = { cacheDir: join('.tokenfuse', 'cache'), baseDir: root, seed: 0 };
  const dataset = openTextDataset(text, tokenizer, places);
  try {
    const training = TrainingConfig.parse({ steps: 1, batchSize: 50, learningRate: 1 });
    const task = languageTask(tree, config, dataset, { training, data: { maxValidationBatches: 1000 } });
    return (await task.evaluate(() => undefined))['validation/loss'];
  } finally {
    dataset.dispose();
  }
}

/** Runs `work` on a model that is loaded for it. */
async function withModel<T>(path: string, work: (model: LanguageModel) => Promise<T> | T): Promise<T> {
  const model = loadLanguageModel(path);
  try {
    return await work(model);
  } finally {
    model.dispose();
  }
}

function lossesIn(path: string, task: Task): Promise<Losses> {
  return withModel(path, async (model) => ({ task: await lossOn(model, task), english: await lossOn(model, ENGLISH) }));
}

/** English loss of the backbone once a group has been attached and detached. */
function englishWithout(groupFile: string, task: Task): Promise<number> {
  return withModel(backbone, async (model) =>
    lossOn(detachLanguageGroup(await attachLanguageGroup(model, groupFile), task), ENGLISH),
  );
}

/** Parameters of a model, or of one of its groups. */
function parametersIn(path: string, group: string | undefined): Promise<string> {
  return withModel(path, ({ tree }) => {
    const names = tree.names().filter((name) => group === undefined || name.includes(`/language.${group}/`));
    return tree.countParameters(names).toLocaleString('en-US');
  });
}

function shown(values: readonly number[]): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  return `${mean.toFixed(3)} ± ${deviation.toFixed(3)}`;
}

/** The learning rate whose loss on the task is least with the first seed, and the losses there of all seeds. */
async function measured(task: Task, arm: Arm): Promise<{ learningRate: number; losses: Losses[]; run: string }> {
  const tried: { learningRate: number; run: string; losses: Losses }[] = [];
  for (const learningRate of LEARNING_RATES) {
    const run = await tuned(task, arm, learningRate, SEEDS[0]);
    tried.push({ learningRate, run, losses: await lossesIn(run, task) });
  }
  const best = tried.reduce((a, b) => (b.losses.task < a.losses.task ? b : a));
  const losses = [best.losses];
  for (const seed of SEEDS.slice(1)) {
    losses.push(await lossesIn(await tuned(task, arm, best.learningRate, seed), task));
  }
  return { ...best, losses };
}

/** The rows of a task. @throws RunError when a removed group does not give the old loss */
async function rowsOf(task: Task): Promise<string[][]> {
  const before = await lossesIn(backbone, task);
  const rows = [[task, 'nothing', '0', '–', before.task.toFixed(3), before.english.toFixed(3), '–']];
  for (const arm of ARMS) {
    const { learningRate, losses, run } = await measured(task, arm);
    const group = join(run, `${task}.safetensors`);
    const hasGroup = existsSync(group);
    if (hasGroup && (await englishWithout(group, task)) !== before.english) {
      throw new RunError(`${group}: removed, it does not give the old loss`);
    }
    rows.push([
      ...[task, arm.name, await parametersIn(run, hasGroup ? task : undefined), String(learningRate)],
      ...[shown(losses.map((loss) => loss.task)), shown(losses.map(({ english }) => english))],
      hasGroup ? `${before.english.toFixed(3)}, the same bits` : '–',
    ]);
  }
  return rows;
}

await prepare();
await selectEngine('auto');
const headers = [
  ...['task', 'trained', 'parameters', 'learning rate'],
  ...['task loss', 'English loss', 'English, group removed'],
];
const rows = [headers, headers.map(() => '---'), ...(await rowsOf('german')), ...(await rowsOf('reversed'))];
const table = rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
replaceSection(fileURLToPath(new URL('docs/tuning.md', packageRoot)), 'study', `${table}\n`);
