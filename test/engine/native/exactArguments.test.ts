import { expect, it } from 'vitest';
import { createRandom, type Random } from '#src/random';
import type { Addon } from '../../../src/engine/native/addon.js';
import { addon, describeNative } from '../../support/kernelComparison.js';

const NO_KERNELS = [
  ...['setThreads', 'threads', 'physicalCores', 'scratchBytes', 'alignment'],
  ...['choose', 'setMatmulPrecision', 'whyNoBf16'],
  // The CUDA engine's functions, which test/engine/cuda/addon.test.ts calls.
  'cuda',
];
const kernels = Object.keys(addon ?? {}).filter((name) => !NO_KERNELS.includes(name)) as (keyof Addon)[];

const REFUSAL = /: expected (.+), got (.+)$/s;

function numbers(random: Random, length: number): Float32Array {
  return Float32Array.from({ length }, () => random.normal());
}

/**
 * Calls a kernel with small random sizes and arrays of exactly the lengths it asks for. What it takes is found out by
 * trying: every refusal names what was expected in the place of the last argument. True when it ran.
 */
function callExactly(name: keyof Addon, random: Random): boolean {
  const args: unknown[] = [];
  // Of the arrays in every list alike.
  const lengths = Array.from({ length: random.integer(4) }, () => random.integer(40));
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      (addon![name] as (...all: unknown[]) => void)(...args);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      const [, expected = ''] = REFUSAL.exec((error as Error).message) ?? [];
      const last = args.length - 1;
      const most = /whole number in \[0, (\d+)\]/.exec(expected);
      const atLeast = /at least (\d+) (?:numbers|bytes)/.exec(expected);
      if (expected === 'an argument') args.push(random.uniform() < 0.5 ? undefined : random.integer(6));
      else if (expected === 'a number') args[last] = random.integer(6);
      else if (most !== null) args[last] = random.integer(Math.min(Number(most[1]), 5) + 1);
      else if (expected === 'a boolean') args[last] = random.uniform() < 0.5;
      else if (/^(a typed array|a Float32Array)/.test(expected)) args[last] = new Float32Array(0);
      else if (expected === 'an Int32Array') args[last] = new Int32Array(0);
      else if (/arrays$/.test(expected)) args[last] = lengths.map((length) => numbers(random, length));
      else if (atLeast !== null && ArrayBuffer.isView(args[last])) {
        // A kernel that counts bytes takes a few numbers too many.
        const length = expected.endsWith('bytes') ? Math.ceil(Number(atLeast[1]) / 4) : Number(atLeast[1]);
        args[last] =
          args[last] instanceof Int32Array
            ? Int32Array.from({ length }, () => random.integer(3))
            : numbers(random, length);
      } else return false;
    }
  }
  return false;
}

describeNative('arrays exactly as long as a kernel wants', () => {
  // That no byte beside them is read or written is seen under `npm run test:native-asan`.
  it.each(kernels)('%s takes them, or refuses', (name) => {
    const random = createRandom(1, name);
    let ran = 0;
    // Kernels with many conditions refuse nearly all that is drawn.
    for (let i = 0; i < 200 || (ran <= 10 && i < 3000); i++) ran += callExactly(name, random) ? 1 : 0;
    expect(ran).toBeGreaterThan(10);
  });
});
