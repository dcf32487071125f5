import { ConfigError } from '#src/errors';
import type { Grow, Shrink, SweepExperiment } from '../config/sweepConfig.js';

type Stages = SweepExperiment['stages'];

/** What a stage of a sweep does: an experiment file with changes, or a command. References to stages are still in it. */
export type SweepWork =
  | { readonly file: string; readonly from: Readonly<Record<string, string>>; readonly set: readonly string[] }
  | { readonly words: readonly string[]; readonly computes: boolean };

/** The work of a stage, with what it extends. @throws ConfigError when it extends itself, or has none */
export function sweepWork(stages: Stages, name: string, path: string): SweepWork {
  const { file, grow, shrink, command, from, set } = flattened(stages, name, path, []);
  if (file !== undefined) return { file, from, set };
  if (grow) return { words: growWords(grow), computes: true };
  if (shrink) return { words: shrinkWords(shrink), computes: true };
  if (command) return { words: command, computes: false };
  throw new ConfigError(
    `${path}: stages.${name}: expected file, grow, shrink or command, its own or of what it extends`,
  );
}

function flattened(stages: Stages, name: string, path: string, seen: readonly string[]): Stages[string] {
  if (seen.includes(name)) throw new ConfigError(`${path}: stages.${name}.extends: leads back to ${name}`);
  const own = stages[name];
  const bases = [own.extends ?? []].flat().map((base) => flattened(stages, base, path, [...seen, name]));
  const all = [...bases, own];
  return {
    ...own,
    file: all.findLast(({ file }) => file !== undefined)?.file,
    from: Object.assign({}, ...all.map(({ from }) => from)),
    set: all.flatMap(({ set }) => set),
  };
}

/** `tokenfuse grow` of a run's last checkpoint, which need not be its best. */
function growWords({ of, by, backbone, optimizer }: Grow): string[] {
  const { tokens, ...others } = by;
  return [
    ...['grow', `{last:${of}}`, '{out}', '--optimizer', optimizer, '--seed', '{seed}'],
    ...optionWords({ backbone, ...others, tokens: tokensText(tokens) }),
  ];
}

/** `tokenfuse shrink` of a run: it measures on the data of the run. */
function shrinkWords({ of, share, tokens, batches }: Shrink): string[] {
  return [
    'shrink',
    `{${of}}`,
    '{out}',
    ...['--root', '{root}', '--cache-dir', '{root}/cache'],
    ...optionWords({ share, tokens: tokensText(tokens), batches }),
  ];
}

function optionWords(options: Readonly<Record<string, string | number | undefined>>): string[] {
  return Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, typeof value === 'number' ? plainNumber(value) : value],
  );
}

/** Without an exponent, which the command line does not take. */
function plainNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(20).replace(/0+$/, '');
}

/** `query=64,ffn=256` */
function tokensText(tokens: Grow['by']['tokens']): string | undefined {
  return (
    tokens &&
    Object.entries(tokens)
      .map(([layer, count]) => `${layer}=${count}`)
      .join(',')
  );
}
