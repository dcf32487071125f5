import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Decoding } from '#language';
import { type BatcherOptions, createBatcher } from '../../serving/front/batcher.js';
import { Refusal } from '../../serving/front/refusal.js';
import type { AnyBatch } from '../../serving/works.js';
import { answerOf } from '../support/servingApp.js';

const greedy = Decoding.parse({ method: 'greedy' });
const never = new AbortController().signal;
setMaxListeners(0, never);
const pixels = (level: number): Uint8Array => Uint8Array.of(level);

function batcher(given: Partial<BatcherOptions> = {}) {
  const batches: AnyBatch[] = [];
  const engine = {
    run: async (batch: AnyBatch) => {
      batches.push(batch);
      await sleep(2);
      return answerOf(batch);
    },
  };
  return { batches, batcher: createBatcher({ engine, batchSize: 4, batchWaitMs: 5, maxQueue: 1000, ...given }) };
}

describe('a batcher', () => {
  it('puts together what waits, no more than fits into a batch', async () => {
    const { batcher: own, batches } = batcher();
    own.admit(10);
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) => own.submit('caption', greedy, { pixels: pixels(i), imageId: i }, never)),
    );
    expect(results.map(([{ caption }]) => caption)).toEqual(Array.from({ length: 10 }, (_, i) => `level ${i} id ${i}`));
    expect(batches.map(({ items }) => items.length)).toEqual([4, 4, 2]);
  });

  it('gives every item its own result, whatever the mixture of works and settings (property)', async () => {
    const item = fc.record({
      work: fc.constantFrom('caption' as const, 'embed' as const),
      maxTokens: fc.constantFrom(5, 6),
      level: fc.integer({ min: 0, max: 255 }),
      pauseMs: fc.integer({ min: 0, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 40 }), async (items) => {
        const { batcher: own, batches } = batcher();
        const found = await Promise.all(
          items.map(async ({ work, maxTokens, level, pauseMs }, imageId) => {
            const release = own.admit(1);
            await sleep(pauseMs);
            const setting = Decoding.parse({ method: 'greedy', maxTokens });
            const result =
              work === 'caption'
                ? (await own.submit('caption', setting, { pixels: pixels(level), imageId }, never))[0].caption
                : (await own.submit('embed', null, { pixels: pixels(level) }, never))[0];
            release();
            return result;
          }),
        );
        expect(found).toEqual(
          items.map(({ work, level }, id) => (work === 'caption' ? `level ${level} id ${id}` : level)),
        );
        expect(batches.reduce((sum, batch) => sum + batch.items.length, 0)).toBe(items.length);
        expect(own.length).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it('waits for items that are admitted, but not for long, and for none when all are here', async () => {
    const { batcher: own, batches } = batcher({ batchWaitMs: 60 });
    const timed = async (): Promise<number> => {
      const started = performance.now();
      await own.submit('embed', null, { pixels: pixels(1) }, never);
      return performance.now() - started;
    };
    own.admit(1);
    expect(await timed()).toBeLessThan(50);
    own.admit(1);
    expect(await timed()).toBeGreaterThan(55);
    expect(batches).toHaveLength(2);
  });

  it('refuses what is too much, and takes places back', () => {
    const { batcher: own } = batcher({ maxQueue: 3 });
    const release = own.admit(2);
    expect(() => own.admit(2)).toThrow('expected at most 3 pictures and prompts at once');
    release();
    release();
    expect(own.length).toBe(0);
    own.admit(3);
  });

  it('takes an item out of the queue when its signal comes, and leaves the others', async () => {
    const { batcher: own, batches } = batcher();
    own.admit(4);
    const gone = new AbortController();
    const first = own.submit('embed', null, { pixels: pixels(0) }, never);
    const given = own.submit('embed', null, { pixels: pixels(1) }, gone.signal);
    const kept = own.submit('embed', null, { pixels: pixels(2) }, never);
    gone.abort(new Error('gone'));
    await expect(given).rejects.toThrow('gone');
    expect([...(await first), ...(await kept)]).toEqual([0, 0.5, 2, 0.5]);
    expect(batches.reduce((sum, { items }) => sum + items.length, 0)).toBe(2);
    await expect(own.submit('embed', null, { pixels: pixels(1) }, gone.signal)).rejects.toThrow('gone');
  });

  it('fails the items of a batch that fails, one by one where one is refused, and goes on', async () => {
    let count = 0;
    const engine = {
      run: async (batch: AnyBatch) => {
        if (count++ === 0) throw new Refusal('failed', 'broken');
        const { outcomes, ...rest } = answerOf(batch);
        return { ...rest, outcomes: outcomes.map((one, i) => (i === 0 ? { refusal: 'too long' } : one)) };
      },
    };
    const { batcher: own } = batcher({ engine });
    const two = () => [1, 2].map((level) => own.submit('embed', null, { pixels: pixels(level) }, never));
    own.admit(9);
    expect(await Promise.allSettled(two())).toMatchObject([
      { reason: { message: 'broken' } },
      { reason: { message: 'broken' } },
    ]);
    const [refused, kept] = await Promise.allSettled(two());
    expect(refused).toMatchObject({ reason: { code: 'invalid_field', message: 'too long' } });
    expect(kept).toMatchObject({ value: Float32Array.of(2, 0.5) });
  });
});
