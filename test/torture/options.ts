import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

export interface TortureOptions {
  readonly quick: boolean;
  readonly seed: number;
  readonly only: readonly string[];
  readonly commands: readonly string[];
  readonly keep: boolean;
  readonly jobs: number;
  readonly size: number;
  readonly engine: string;
}

const QUICK_SIZE = 0.04;

export const USAGE = `usage: npm run test:torture -- [options]

  --quick            a small sample of every part, for continuous integration
  --size <share>     of the full number of attempts (default 1; --quick: ${QUICK_SIZE})
  --only <part>      this part alone; repeatable
  --command <name>   this command alone, where a part breaks commands; repeatable
  --seed <n>         what random choices follow from (default: from the clock; printed)
  --keep             keep the folders in which something was lost, and list all losses
  --jobs <n>         commands at a time (default: processors + 1)
  --engine <name>    as of tokenfuse (default auto)
`;

/** The options; undefined for --help. @throws Error for wrong ones */
export function tortureOptions(words: readonly string[], parts: readonly string[]): TortureOptions | undefined {
  const { values } = parseArgs({
    args: [...words],
    options: {
      quick: { type: 'boolean', default: false },
      size: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
      command: { type: 'string', multiple: true, default: [] },
      seed: { type: 'string' },
      keep: { type: 'boolean', default: false },
      jobs: { type: 'string' },
      engine: { type: 'string', default: 'auto' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const unknown = values.only.find((name) => !parts.includes(name));
  if (unknown !== undefined) throw new Error(`--only: expected ${parts.join(', ')}; got '${unknown}'`);
  return {
    quick: values.quick,
    seed: Number(values.seed ?? Date.now() % 1_000_000),
    only: values.only,
    commands: values.command,
    keep: values.keep,
    jobs: Number(values.jobs ?? availableParallelism() + 1),
    size: Number(values.size ?? (values.quick ? QUICK_SIZE : 1)),
    engine: values.engine,
  };
}
