import { describe, expect, it, vi } from 'vitest';
import { tf } from '#src/engine';
import {
  createStack,
  decodeStack,
  type KeyValueCache,
  ParameterTree,
  runStack,
  TokenFormerConfig,
} from '#src/tokenformer';
import { createGraphs, type GraphSource } from '../../../src/engine/cuda/kernels/graphs.js';
import { type Cuda, openCuda } from '../../../src/engine/cuda/runtime.js';
import { relativeError } from '../../support/closeness.js';
import { oneGroupBlock } from '../../support/oneGroupBlock.js';
import { randomValues } from '../../support/randomValues.js';
import { describeCuda } from './card.js';

/** An addon that writes down what it is asked for; it has room for so many allocations at a time. */
function writtenDown(room = Number.POSITIVE_INFINITY) {
  const lines: string[] = [];
  let [next, used] = [1000, 0];
  const addon = {
    allocate: (bytes: number): number => {
      if (used === room) throw Object.assign(new Error('full'), { code: 'CUDA_OUT_OF_MEMORY' });
      used++;
      lines.push(`allocate ${bytes} at ${++next}`);
      return next;
    },
    free: (address: number): void => {
      used--;
      lines.push(`free ${address}`);
    },
    beginCapture: () => void lines.push('begin'),
    endCapture: (): number => {
      lines.push('end');
      return next;
    },
    freeGraph: (id: number) => void lines.push(`free graph ${id}`),
  };
  return { addon, lines };
}

/** Of three inputs, of which the second moves, and an output. */
function source(lines: string[]): GraphSource {
  return { encode: (starts) => void lines.push(`encode ${starts}`), moving: new Map([[1, 40]]), own: [80] };
}

describe('graphs', () => {
  it('are recorded at the fourth call with the same fixed inputs, in memory of their own for the rest', () => {
    const { addon, lines } = writtenDown();
    const graphs = createGraphs(addon);
    const commands = source(lines);
    const found = [10, 20, 30, 40, 50].map((moving) => graphs.of(commands, [1, moving, 3]));
    expect(lines).toEqual(['allocate 40 at 1001', 'allocate 80 at 1002', 'begin', 'encode 1,1001,3,1002', 'end']);
    const graph = { id: 1002, starts: [1, 1001, 3, 1002] };
    expect(found).toEqual([undefined, undefined, undefined, graph, graph]);
    expect(graphs.of(commands, [1, 60, 4])).toBeUndefined();
    expect(graphs.of(source(lines), [1, 60, 3])).toBeUndefined();
  });

  it('are freed with their memory when many others came after them', () => {
    const { addon, lines } = writtenDown();
    const graphs = createGraphs(addon);
    const commands = source(lines);
    for (let call = 0; call < 4; call++) graphs.of(commands, [1, 0, 3]);
    lines.length = 0;
    for (let other = 0; other < 32; other++) graphs.of(commands, [1, 0, 100 + other]);
    expect(lines).toEqual(['free graph 1002', 'free 1001', 'free 1002']);
  });

  it('are left out where the card has no room for them', () => {
    const { addon, lines } = writtenDown(1);
    const graphs = createGraphs(addon);
    const found = Array.from({ length: 4 }, () => graphs.of(source(lines), [1, 0, 3]));
    const commands = source(lines);
    for (let call = 0; call < 4; call++) found.push(graphs.of(commands, [1, 0, 3]));
    expect(found).toEqual(found.map(() => undefined));
    expect(lines).toEqual(['allocate 40 at 1001', 'free 1001']);
  });
});

describeCuda('decoding steps as a graph', () => {
  it('are what the blocks compute one after the other', { timeout: 120_000 }, () => {
    const { addon } = openCuda() as Cuda;
    const launches = vi.spyOn(addon, 'launchGraph');
    tf.tidy(() => {
      const config = TokenFormerConfig.parse({
        ...{ dModel: 32, numLayers: 2, numHeads: 4, rotaryShare: 0.5 },
        ...{ qkvParamTokens: 40, outputParamTokens: 40, ffnParamTokens: 70 },
      });
      const tree = new ParameterTree(createStack('own', config, 1));
      const blocks = [0, 1].map((b) => oneGroupBlock(tree, 'own', b));
      const states = (...scope: string[]) => tf.tensor3d(randomValues(2 * 32, 'graphs', ...scope), [2, 1, 32]);
      const empty = (): KeyValueCache[] =>
        blocks.map(() => ({ keys: tf.zeros([2, 24, 32]), values: tf.zeros([2, 24, 32]), length: 0 }));
      // Two texts in turn, each in caches of its own.
      const texts = ['a', 'b'].map((name) => ({ name, whole: empty(), stepwise: empty() }));
      for (let step = 0; step < 8; step++) {
        for (const text of texts) {
          const x = states(text.name, String(step));
          const pass = { mask: { kind: 'causal' }, caches: text.stepwise, capture: () => undefined } as const;
          const expected = runStack(x, blocks, config, pass);
          const actual = decodeStack(x, blocks, config, { caches: text.whole });
          if (actual === undefined) throw new Error('expected the step to be taken in one call');
          [text.stepwise, text.whole] = [[...expected.caches], actual.caches];
          // Measured 1e-6 at most.
          expect(relativeError(actual.hidden.dataSync(), expected.hidden.dataSync())).toBeLessThan(2e-5);
        }
      }
    });
    expect(launches).toHaveBeenCalledTimes(2 * 5);
    launches.mockRestore();
  });
});
