import { createRandom, type Random } from '#src/random';
import type { RandomKey, SweepExperiment, SweepRow } from '../config/sweepConfig.js';

type Value = number | boolean | string;

/** Values by `stage.key`. */
export type SweepPoint = Readonly<Record<string, Value>>;

/** The points at which a row is run: those of the grid at each draw, of keys of the row's own stages; one without keys. */
export function sweepPoints({ grid = {}, random }: SweepExperiment, { stages }: SweepRow): SweepPoint[] {
  const points = drawnPoints(random).flatMap((drawn) =>
    Object.entries(grid).reduce<SweepPoint[]>(
      (all, [key, values]) => all.flatMap((point) => values.map((value) => ({ ...point, [key]: value }))),
      [drawn],
    ),
  );
  const own = points.map((point) =>
    Object.fromEntries(Object.entries(point).filter(([key]) => stages.includes(stageOf(key)))),
  );
  return [...new Map(own.map((point) => [JSON.stringify(point), point])).values()];
}

/** What a point changes of a stage, as `--set` takes it. */
export function pointWords(point: SweepPoint, stage: string): string[] {
  return Object.entries(point)
    .filter(([key]) => stageOf(key) === stage)
    .map(([key, value]) => `${key.slice(stage.length + 1)}=${JSON.stringify(value)}`);
}

function stageOf(key: string): string {
  return key.slice(0, key.indexOf('.'));
}

function drawnPoints(random: SweepExperiment['random']): SweepPoint[] {
  if (random === undefined) return [{}];
  const { draws, seed, keys } = random;
  return Array.from({ length: draws }, (_, draw) =>
    Object.fromEntries(
      Object.entries(keys).map(([key, choice]) => [key, drawn(choice, createRandom(seed, 'sweep', draw, key))]),
    ),
  );
}

/** To four digits: what is drawn stands in tables and commands. */
function drawn(choice: readonly Value[] | RandomKey, random: Random): Value {
  if (!('from' in choice)) return choice[random.integer(choice.length)];
  const [low, high] = choice.log ? [Math.log(choice.from), Math.log(choice.to)] : [choice.from, choice.to];
  const value = low + (high - low) * random.uniform();
  return Number((choice.log ? Math.exp(value) : value).toPrecision(4));
}
