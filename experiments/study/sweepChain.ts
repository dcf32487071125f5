import { dirname, join, resolve } from 'node:path';
import { ConfigError, didYouMean, namesInLine } from '#src/errors';
import { sha256 } from '#src/storage';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { PREVIOUS, type SweepExperiment, type SweepRow } from '../config/sweepConfig.js';
import { commandStage, experimentStage, type Stage, type StageExperiment, type StagePlaces } from '../stages/index.js';
import { pointWords, type SweepPoint } from './sweepPoints.js';
import { sweepWork } from './sweepWork.js';

/** The kinds of experiment that can be a stage. */
const KINDS = ['scenes', 'tokenizer', 'vision', 'language', 'tune', 'merge', 'align', 'evaluate'] as const;

/** A stage of a row, ready to be run. */
export interface ChainStage {
  /** In the sweep's file. */
  readonly name: string;
  /** Its folder, from the sweep's, called by a digest of what it does and of what it is made of: equal stages are one. */
  readonly folder: string;
  /** Undefined where it runs a command. */
  readonly experiment?: StageExperiment;
  /** The stages whose output it reads. */
  readonly inputs: readonly ChainStage[];
  stage(label: string, needs: readonly string[], places: StagePlaces): Stage;
}

/** A row at a point under a seed. */
export interface SweepCell {
  readonly row: SweepRow;
  readonly point: SweepPoint;
  readonly seed: number;
}

/**
 * The stages of a cell, each read and checked; what they take besides is among their inputs.
 *
 * @param path of the sweep's file
 * @throws ConfigError for a file that does not take the changes, and for stages that take each other
 */
export function sweepChain({ stages }: SweepExperiment, { row, point, seed }: SweepCell, path: string): ChainStage[] {
  const planned = new Map<string, ChainStage>();
  const begun = new Set<string>();

  const plan = (name: string, previous?: ChainStage): ChainStage => {
    const known = planned.get(name);
    if (known !== undefined) return known;
    const place = `${path}: stages.${name}`;
    if (begun.has(name)) throw new ConfigError(`${place}: takes its own output, through other stages`);
    begun.add(name);
    const inputs = new Map<string, ChainStage>();
    /** The folder of the stage that a reference names, with what follows it. */
    const folderOf = (reference: string): string => {
      const [first, ...rest] = reference.split('/');
      const input = first === PREVIOUS ? previous : stages[first] && plan(first);
      if (input === undefined) throw new ConfigError(`${place}: ${noStage(first, Object.keys(stages), row.name)}`);
      inputs.set(input.folder, input);
      return [input.folder, ...rest].join('/');
    };
    const changes = [...(row.set[name] ?? []), ...pointWords(point, name)];
    const work = sweepWork(stages, name, path);
    const own =
      'file' in work
        ? fileStage(join(dirname(resolve(path)), work.file), place, [
            ...Object.entries(work.from).map(([key, reference]) => `${key}=${folderOf(reference)}`),
            ...[...work.set, ...changes].map((word) => word.replaceAll('{seed}', String(seed))),
          ])
        : commandWork(work, place, changes, (word) => filledWord(word, seed, folderOf));
    const stage = { name, inputs: [...inputs.values()], ...own };
    planned.set(name, stage);
    return stage;
  };
  const chain: ChainStage[] = [];
  for (const name of row.stages) chain.push(plan(name, chain.at(-1)));
  return chain;
}

type Made = Pick<ChainStage, 'folder' | 'experiment' | 'stage'>;

function fileStage(file: string, place: string, overrides: readonly string[]): Made {
  const experiment = parseExperimentOf(file, KINDS, overrides, (word) => `${place}: ${word}`);
  const folder = folderFor(experiment.kind, experiment);
  return {
    folder,
    experiment,
    stage: (name, needs, places) =>
      experimentStage(
        { name, needs, path: file, overrides, experiment, outDir: join(places.root, folder), leavesComplete: true },
        places,
      ),
  };
}

function commandWork(
  { words, computes }: { readonly words: readonly string[]; readonly computes: boolean },
  place: string,
  changes: readonly string[],
  fill: (word: string) => string,
): Made {
  if (changes.length > 0) throw new ConfigError(`${place}: has no file that '${changes[0]}' could change`);
  const filled = words.map(fill);
  const folder = folderFor(filled[0], filled);
  return {
    folder,
    stage: (name, needs, places) =>
      commandStage({ name, needs, words: filled, computes, outDir: join(places.root, folder) }, places),
  };
}

function folderFor(kind: string, content: unknown): string {
  return `stages/${kind}-${sha256(Buffer.from(JSON.stringify(content))).slice(0, 12)}`;
}

/** `{small}` → `{root}/stages/…`; `{last:small}` → `{last:stages/…}`. */
function filledWord(word: string, seed: number, folderOf: (reference: string) => string): string {
  return word.replace(/\{(last:)?([^}]+)\}/g, (whole, last: string | undefined, name: string) => {
    if (last !== undefined) return `{last:${folderOf(name)}}`;
    if (name === 'out' || name === 'root') return whole;
    return name === 'seed' ? String(seed) : `{root}/${folderOf(name)}`;
  });
}

function noStage(name: string, known: readonly string[], row: string): string {
  if (name === PREVIOUS) return `takes the stage before it, and row '${row}' has none there`;
  return `expected a stage (${PREVIOUS}, ${namesInLine(known)}), got '${name}'${didYouMean(name, known)}`;
}
