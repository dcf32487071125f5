import { LANGUAGE_MODEL, VISION_MODEL } from '../models.js';
import { bestPeer, type Figure, type Row, type SideValues, sideValues } from '../results.js';
import { runRounds } from '../runRounds.js';
import type { SideName, SideSpec } from '../side.js';
import { KEPT_MEMORY } from '../sideSpecs.js';
import { type FigureContext, MODEL_SIDES, type PeerTarget, ratioVerdicts, withSides } from './figureContext.js';
import { stepCase } from './trainingSteps.js';

/** Steps after which the peak is read; it does not grow after the second. */
const STEPS = 4;

const TARGETS: readonly PeerTarget[] = [
  { peer: 'PyTorch (Debian)', sides: ['pytorch'], bound: 1 },
  { peer: 'best new peer', sides: ['new-pytorch', 'compiled-pytorch', 'jax'], bound: 0.5 },
];

/** Peak resident memory of training, each model and side in a process of its own; it needs Linux's /proc. */
export async function memoryFigure(context: FigureContext): Promise<Figure> {
  const rows: Row[] = [];
  const none = Object.fromEntries(Object.keys(KEPT_MEMORY).map((variable) => [variable, '']));
  const specs = [...context.specs].map(([name, spec]): [SideName, SideSpec] => [name, { ...spec, env: { ...spec.env, ...none } }]);
  const lean = { ...context, specs: new Map(specs) };
  for (const model of [LANGUAGE_MODEL, VISION_MODEL]) {
    const benchCase = stepCase(context, model, `${model.kind} model`, 'tokens/s');
    const values: Partial<Record<SideName, SideValues>> = {};
    for (const name of MODEL_SIDES.filter((side) => side !== 'wasm')) {
      await withSides(lean, [name], async (sides) => {
        await runRounds(sides, [benchCase], { rounds: STEPS, warmups: 0, minSeconds: 0 });
        const bytes = sides[0]?.peakMemoryBytes();
        if (bytes !== undefined) values[name] = sideValues([bytes / 2 ** 20]);
      });
    }
    const { native: ours, ...peers } = values;
    const ratios = Object.entries(peers).map(([side, { median }]) => [side, ours ? ours.median / median : Number.NaN]);
    rows.push({ name: benchCase.name, unit: 'MiB', values, ...bestPeer(Object.fromEntries(ratios), 'most') });
  }
  const title = '5. Peak resident memory of training';
  return { id: 'memory', title, rows, verdicts: ratioVerdicts(rows, TARGETS, 'most') };
}
