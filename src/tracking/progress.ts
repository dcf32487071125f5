import cliProgress from 'cli-progress';
import type { Output } from '#src/cli';
import { type ProgressFigures, type ProgressState, progressBar, progressText } from './progressLine.js';

export interface ProgressOptions {
  /** Total number of steps. */
  readonly total: number;
  /** Steps already completed, in a resumed run. */
  readonly start: number;
  readonly label: string;
  readonly unit: ProgressState['unit'];
  readonly output: Output;
  /** Output stream. Default: stderr, so that stdout contains only results. */
  readonly stream?: NodeJS.WriteStream;
  /** Clock in milliseconds, for the remaining time and the rate of plain lines. Default: `Date.now`. */
  readonly now?: () => number;
}

export interface Progress {
  /** Reports that `step` steps are done. */
  update(step: number, figures: ProgressFigures): void;
  /** Shows the last state and stops; call it in a `finally`, because a bar keeps the process alive until then. */
  done(): void;
}

const MAX_COLUMNS = 80;
const PLAIN_LINE_MS = 10_000;

/**
 * Shows the progress of a run: on a terminal, a bar of at most 80 columns; elsewhere, a line for the first update, at most
 * one every ten seconds, and one for the last. The remaining time is extrapolated from the mean rate since `start`.
 */
export function createProgress(options: ProgressOptions): Progress {
  const { total, start, label, unit, output } = options;
  const now = options.now ?? Date.now;
  const stream = options.stream ?? process.stderr;
  const startedAt = now();
  let state: ProgressState = { label, unit, step: start, total, figures: {}, remainingSeconds: undefined };
  const stateAt = (step: number, figures: ProgressFigures): ProgressState => {
    const secondsPerStep = step > start ? (now() - startedAt) / 1000 / (step - start) : undefined;
    const remainingSeconds = secondsPerStep && Math.max(0, total - step) * secondsPerStep;
    return { label, unit, step, total, figures, remainingSeconds };
  };

  if (output.interactive && stream.isTTY) {
    const bar = new cliProgress.SingleBar({
      // One column stays free: some terminals wrap after the last one.
      format: (_options, params) => progressBar(state, Math.min(MAX_COLUMNS, params.maxWidth) - 1),
      stream,
      fps: 5,
      // Does not change terminal settings, so nothing has to be restored after a kill.
      linewrap: true,
    });
    bar.start(total, start);
    return {
      update: (step, figures) => {
        state = stateAt(step, figures);
        bar.update(step);
      },
      done: () => bar.stop(),
    };
  }

  let shownAt: number | undefined;
  let pending = false;
  const show = (): void => {
    output.line(progressText(state));
    shownAt = now();
    pending = false;
  };
  return {
    update: (step, figures) => {
      state = stateAt(step, figures);
      pending = true;
      if (shownAt === undefined || now() - shownAt >= PLAIN_LINE_MS) show();
    },
    done: () => {
      if (pending) show();
    },
  };
}
