import { existsSync, readdirSync } from 'node:fs';
import os from 'node:os';
import { basename, join } from 'node:path';
import { type Arguments, type Command, renderTable } from '#src/cli';
import { ConfigError, didYouMean, UserError } from '#src/errors';
import { readJson, replaceSection, writeJsonAtomic } from '#src/storage';
import { benchPath } from './benchFolder.js';
import { benchMarkdown } from './benchMarkdown.js';
import { type GpuResults, gpuMarkdown } from './gpu/markdown.js';
import { PROFILE_HEADERS, profileCells } from './kernelProfile.js';
import { resultsName } from './machine.js';
import { PROFILE_NAMES, profileKernels } from './profileKernels.js';
import type { BenchResults } from './results.js';
import { PART_NAMES, runBench } from './runBench.js';
import { SIDE_NAMES } from './side.js';

/** Rounds that a published median is taken of, at least. */
const PUBLISHED_ROUNDS = 7;

const threadsOption = { description: 'worker threads of every side; default 2', placeholder: 'n' };

/** `npm run bench`: the seven figures. */
export const runCommand: Command = {
  name: 'run',
  summary: 'time this project against its peers',
  details: `A run of all figures with ${PUBLISHED_ROUNDS} rounds or more is kept in bench/results/.`,
  positionals: [],
  options: {
    rounds: { description: `rounds of which the median counts; default ${PUBLISHED_ROUNDS}`, placeholder: 'n' },
    only: { description: `some of ${PART_NAMES.join(',')}`, placeholder: 'names' },
    sides: { description: `some of ${SIDE_NAMES.join(',')}`, placeholder: 'names' },
    threads: threadsOption,
    out: { description: 'where the results go, a .json file', placeholder: 'file' },
  },
  run: async (args, output) => {
    const settings = {
      rounds: countOf(args, 'rounds', PUBLISHED_ROUNDS),
      threads: threadsOf(args),
      only: namesOf(args, 'only', PART_NAMES),
      sides: namesOf(args, 'sides', SIDE_NAMES),
    };
    if (!settings.sides.includes('native')) throw new ConfigError('sides: expected native among them: it is ours');
    const results = await runBench(settings, output);
    const isWhole = settings.only.length === PART_NAMES.length && settings.sides.length === SIDE_NAMES.length;
    const published = `results/${resultsName(results.date, results.machine.cpu)}.json`;
    const path =
      args.text('out') ?? (isWhole && settings.rounds >= PUBLISHED_ROUNDS ? benchPath(published) : undefined);
    if (path !== undefined) {
      writeJsonAtomic(path, results);
      output.line(`\nwritten to ${path}`);
    }
    return { ...results };
  },
};

/** `npm run bench -- profile language`: where the time of a step goes. */
export const profileCommand: Command = {
  name: 'profile',
  summary: 'say which kernels of the native engine a workload spends its time in',
  positionals: [{ name: 'workload', description: PROFILE_NAMES.join(', ') }],
  options: {
    steps: { description: 'steps that are timed; default 10', placeholder: 'n' },
    threads: threadsOption,
  },
  run: async (args, output) => {
    const [workload] = args.positionals;
    const name = knownName('workload', workload, PROFILE_NAMES);
    process.env.TOKENFUSE_THREADS = String(threadsOf(args));
    const profile = await profileKernels(name, countOf(args, 'steps', 10));
    output.line(renderTable(PROFILE_HEADERS, profileCells(profile)));
    return { ...profile };
  },
};

/** `npm run readme:bench`: no number there is typed by hand. */
export const readmeCommand: Command = {
  name: 'readme',
  summary: 'put the results of a run into bench/README.md, between its markers; and those of the newest run on a GPU',
  positionals: [{ name: 'results', description: 'a .json file; default the newest of bench/results/', optional: true }],
  options: {},
  run: async ({ positionals: [given] }, output) => {
    const path = given ?? newestResults(/^\d/, 'npm run bench');
    const results = readJson(path, 'bench results') as BenchResults;
    replaceSection(benchPath('README.md'), 'bench', benchMarkdown(results, basename(path)));
    const ofGpu = newestResults(/^gpu-/, 'npm run bench:gpu');
    const gpu = readJson(ofGpu, 'bench results') as GpuResults;
    replaceSection(benchPath('README.md'), 'gpu', gpuMarkdown(gpu, basename(ofGpu)));
    output.line(`bench/README.md has the results of ${path} and ${ofGpu}`);
    return { path };
  },
};

/** Of results whose names begin like that: behind it comes the date. */
function newestResults(names: RegExp, command: string): string {
  const folder = benchPath('results/');
  const all = existsSync(folder) ? readdirSync(folder) : [];
  const newest = all
    .filter((name) => names.test(name) && name.endsWith('.json'))
    .sort()
    .at(-1);
  if (newest === undefined) throw new UserError(`${folder}: expected results of \`${command}\`, got none`);
  return join(folder, newest);
}

function threadsOf(args: Arguments): number {
  return countOf(args, 'threads', Math.min(2, os.availableParallelism()));
}

function countOf(args: Arguments, name: string, otherwise: number): number {
  const text = args.text(name);
  if (text === undefined) return otherwise;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new ConfigError(`${name}: expected a whole number from 1, got '${text}'`);
}

function namesOf<N extends string>(args: Arguments, option: string, known: readonly N[]): readonly N[] {
  return (
    args
      .text(option)
      ?.split(',')
      .map((name) => knownName(option, name, known)) ?? known
  );
}

function knownName<N extends string>(what: string, name: string, known: readonly N[]): N {
  const found = known.find((candidate) => candidate === name);
  if (found !== undefined) return found;
  throw new ConfigError(`${what}: expected ${known.join(', ')}; got '${name}'${didYouMean(name, known)}`);
}
