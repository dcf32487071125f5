import { join } from 'node:path';
import { ENGINES, type MatmulPrecision } from '#src/engine';
import { type BenchModel, LANGUAGE_MODEL, SMALL_MODEL, writeBenchModel } from './models.js';
import { type Side, type SideSpec, startSide } from './side.js';
import { medianRatio } from './statistics.js';
import type { Measurement } from './workload.js';

/** Steps of both curves. */
const STEPS = 200;
/** Of which every so many are shown. */
const SHOWN_EVERY = 20;

/** What is held against each other; both are trained on the processor. */
type ComparedPrecision = Exclude<MatmulPrecision, 'tf32'>;

/** The same training, step by step, with products in float32 and in bf16. */
export interface PrecisionCurves {
  /** What multiplied in bf16: an instruction set, or 'emulation' by float32 instructions, whose time says nothing. */
  readonly by: string;
  /** Loss of every step, in nats. */
  readonly losses: Readonly<Record<ComparedPrecision, readonly number[]>>;
  /** Speed of the larger model's steps in bf16 by that in float32; of the processor alone. */
  readonly speedup?: number;
}

/** Trains in both precisions in turn, in one process; or says why bf16 is not available, not even emulated. */
export async function precisionCurves(
  native: SideSpec,
  rounds: number,
  folder: string,
): Promise<PrecisionCurves | { readonly skipped: string }> {
  const bf16Support = () =>
    ENGINES.native.matmulPrecision?.support('bf16') ?? { missing: 'native has no products in bf16' };
  let support = bf16Support();
  if ('missing' in support) {
    // This process' other parts, and the sides', train in float32: it changes nothing for them.
    process.env.TOKENFUSE_EMULATE_BF16 = '1';
    support = bf16Support();
  }
  if ('missing' in support) return { skipped: `precision is left out: ${support.missing}` };
  const side = await startSide(native);
  try {
    const small = await trainInBoth(side, SMALL_MODEL, STEPS, join(folder, 'precision-small'));
    const losses = { highest: lossesOf(small.highest), bf16: lossesOf(small.bf16) };
    if (support.by === 'emulation') return { by: support.by, losses };
    const large = await trainInBoth(side, LANGUAGE_MODEL, rounds + 1, join(folder, 'precision-large'));
    // The first step of each finds its memory.
    const seconds = (measured: readonly Measurement[]): number[] => measured.slice(1).map((each) => each.seconds);
    return { by: support.by, losses, speedup: medianRatio(seconds(large.highest), seconds(large.bf16)) };
  } finally {
    await side.close();
  }
}

/** From the same weights on the same batches, a step of one after a step of the other. */
async function trainInBoth(
  side: Side,
  model: BenchModel,
  steps: number,
  folder: string,
): Promise<Record<ComparedPrecision, Measurement[]>> {
  const measured: Record<ComparedPrecision, Measurement[]> = { highest: [], bf16: [] };
  const precisions = ['highest', 'bf16'] as const;
  for (const precision of precisions) writeBenchModel(join(folder, precision), model, precision);
  for (let step = 0; step < steps; step++) {
    for (const precision of precisions) {
      const workload = { kind: 'step', folder: join(folder, precision) } as const;
      measured[precision].push(await side.measure({ workload, minSeconds: 0 }));
    }
  }
  return measured;
}

function lossesOf(measured: readonly Measurement[]): number[] {
  return measured.flatMap(({ losses }) => losses ?? []);
}

export const PRECISION_TITLE = 'Loss of training in float32 and in bf16, 2 layers, d 64';

/** The curves side by side, and the difference of the last losses. */
export function precisionTable({ by, losses }: PrecisionCurves): { headers: string[]; cells: string[][] } {
  const last = losses.highest.length - 1;
  const shown = losses.highest.flatMap((_, i) => (i % SHOWN_EVERY === 0 || i === last ? i : []));
  return {
    headers: ['step', 'highest', by === 'emulation' ? 'bf16 emulated' : 'bf16', 'difference'],
    cells: shown.map((i) => {
      const [highest, bf16] = [losses.highest[i], losses.bf16[i]];
      return [String(i + 1), highest.toFixed(4), bf16.toFixed(4), `${(100 * (bf16 / highest - 1)).toFixed(2)} %`];
    }),
  };
}

/** One line on the speed. */
export function precisionSpeed({ by, speedup }: PrecisionCurves): string {
  return speedup === undefined
    ? `No speed: ${by} takes longer than float32.`
    : `Speed of the language model's step in bf16 by that in float32: ${speedup.toFixed(2)} (${by}).`;
}
