import { afterEach, expect, it } from 'vitest';
import { Interrupted, interruption } from '#src/cli';
import { isProgressText, showWork, startWork } from '#src/tracking';
import { recordedOutput } from '../support/streams.js';

afterEach(() => interruption.reset());

/** Parts of a command that take `seconds` for each unit, on a clock of their own. */
async function shown(parts: readonly { label: string; units: number; seconds: number }[]): Promise<readonly string[]> {
  const output = recordedOutput();
  let ms = 0;
  await showWork(
    output,
    async () => {
      for (const { label, units, seconds } of parts) {
        const report = startWork(label, units, 'images');
        for (let done = 1; done <= units; done++) {
          ms += 1000 * seconds;
          report(done);
        }
      }
    },
    () => ms,
  );
  return output.lines;
}

it('shows nothing of a command that takes less than five seconds', async () => {
  expect(await shown([{ label: 'decoding', units: 49, seconds: 0.1 }])).toEqual([]);
});

it('shows a line from the fifth second on, then one every ten, over all parts of the command', async () => {
  const lines = await shown([
    { label: 'decoding', units: 4, seconds: 1 },
    { label: 'seen, model: captions', units: 20, seconds: 1 },
    { label: 'seen, blind: captions', units: 3, seconds: 1 },
  ]);
  expect(lines).toEqual([
    'seen, model: captions 1/20 5% 1 images/s ETA 0:19',
    'seen, model: captions 11/20 55% 1 images/s ETA 0:09',
    'seen, blind: captions 1/3 33% 1 images/s ETA 0:02',
  ]);
  expect(lines.every(isProgressText)).toBe(true);
  expect(isProgressText('seen  12/20 of 60% are right')).toBe(false);
});

it('is where a signal ends a command', () => {
  const report = startWork('decoding', 10, 'images');
  report(1);
  interruption.note('SIGINT');
  expect(() => report(2)).toThrow(Interrupted);
});
