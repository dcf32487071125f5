import { interruption, type Output } from '#src/cli';
import { createProgress, type Pace, type Progress } from './progress.js';

interface Shown {
  readonly output: Output;
  readonly pace: Pace;
}

let shown: Shown | undefined;
let current: Progress | undefined;

function endCurrent(): void {
  current?.done();
  current = undefined;
}

/** Runs a command that shows the work it starts (`startWork`) on its output, from its fifth second on. */
export async function showWork<T>(
  output: Output,
  command: () => Promise<T>,
  now: () => number = () => performance.now(),
): Promise<T> {
  shown = { output, pace: { startedAt: now(), shownAt: undefined, now } };
  try {
    return await command();
  } finally {
    endCurrent();
    shown = undefined;
  }
}

/**
 * Starts a part of a command's work, such as the decoding of its images; it ends with its last unit or when the next part
 * starts. Without `showWork`, as in a library, nothing is shown.
 *
 * @returns takes the number of units that are done; a signal ends the command there: it throws Interrupted
 */
export function startWork(label: string, total: number, unit: string): (done: number) => void {
  endCurrent();
  if (shown === undefined) return () => interruption.check();
  const { output, pace } = shown;
  const startedAt = pace.now();
  const progress = createProgress({ ...{ label, total, unit, output, pace }, start: 0, now: pace.now });
  current = progress;
  return (done) => {
    interruption.check();
    if (current !== progress) return;
    const seconds = (pace.now() - startedAt) / 1000;
    progress.update(done, seconds > 0 ? { unitsPerSecond: done / seconds } : {});
    if (done >= total) endCurrent();
  };
}
