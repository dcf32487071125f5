import cliProgress from 'cli-progress';
import { COLUMNS, type Output } from '#src/cli';
import { type ProgressFigures, type ProgressState, progressBar, progressText } from './progressLine.js';
import { createSmoothRate } from './smoothRate.js';

export interface ProgressOptions {
  /** Total number of steps. */
  readonly total: number;
  /** Steps already completed, in a resumed run. */
  readonly start: number;
  readonly label: string;
  /** What `unitsPerSecond` counts, such as images. */
  readonly unit: string;
  readonly output: Output;
  /** For the parts of a command: shows nothing in its first seconds, and nothing of what has ended. */
  readonly pace?: Pace;
  /** Output stream. Default: stderr, so that stdout contains only results. */
  readonly stream?: NodeJS.WriteStream;
  /** Clock in milliseconds, for the remaining time and the rate of plain lines. Default: `Date.now`. */
  readonly now?: () => number;
}

/** When a command started and last printed a line of progress, in milliseconds. */
export interface Pace {
  readonly startedAt: number;
  shownAt: number | undefined;
  readonly now: () => number;
}

export interface Progress {
  /** Reports that `step` steps are done. */
  update(step: number, figures: ProgressFigures): void;
  /** Prints a line above the bar. */
  line(text: string): void;
  /** Shows the last state and stops; call it in a `finally`, because a bar keeps the process alive until then. */
  done(): void;
}

const PLAIN_LINE_MS = 10_000;
/** Commands shorter than this show no progress of their parts. */
const QUIET_MS = 5000;

/**
 * Shows the progress of a run: on a terminal, a bar of at most 80 columns; elsewhere, a line for the first update, at most
 * one every ten seconds, and one for the last. The rate is a mean over some seconds; the remaining time is extrapolated
 * from the mean rate since `start`.
 */
export function createProgress(options: ProgressOptions): Progress {
  const { total, start, label, unit, output, pace } = options;
  const now = options.now ?? Date.now;
  const stream = options.stream ?? process.stderr;
  const startedAt = now();
  const smoothed = createSmoothRate();
  const stateAt = (step: number, figures: ProgressFigures): ProgressState => {
    const seconds = (now() - startedAt) / 1000;
    const { unitsPerSecond } = figures;
    const rate = unitsPerSecond === undefined ? {} : { unitsPerSecond: smoothed(unitsPerSecond, seconds) };
    const remainingSeconds = step > start ? (Math.max(0, total - step) * seconds) / (step - start) : undefined;
    return { label, unit, step, total, figures: { ...figures, ...rate }, remainingSeconds };
  };
  const isQuiet = (): boolean => pace !== undefined && now() - pace.startedAt < QUIET_MS;

  if (output.interactive && stream.isTTY) {
    let state: ProgressState | undefined;
    let drawn = false;
    const bar = new cliProgress.SingleBar({
      // One column stays free: some terminals wrap after the last one.
      format: (_options, params) =>
        state === undefined ? '' : progressBar(state, Math.min(COLUMNS, params.maxWidth) - 1),
      stream,
      fps: 5,
      forceRedraw: true,
      clearOnComplete: pace !== undefined,
      // Does not change terminal settings, so nothing has to be restored after a kill.
      linewrap: true,
    });
    return {
      update: (step, figures) => {
        state = stateAt(step, figures);
        if (drawn) bar.update(step);
        else if (!isQuiet()) {
          // Not before the first figures are known: the bar would change its width.
          drawn = true;
          bar.start(total, step);
        }
      },
      line: (text) => {
        if (!drawn) return output.line(text);
        stream.write('\r\x1b[K');
        output.line(text);
        bar.render();
      },
      done: () => {
        if (drawn) bar.stop();
        drawn = false;
      },
    };
  }

  const shown = pace ?? { shownAt: undefined as number | undefined };
  let pending: ProgressState | undefined;
  const show = (state: ProgressState): void => {
    output.line(progressText(state));
    shown.shownAt = now();
    pending = undefined;
  };
  return {
    update: (step, figures) => {
      pending = stateAt(step, figures);
      if (!isQuiet() && (shown.shownAt === undefined || now() - shown.shownAt >= PLAIN_LINE_MS)) show(pending);
    },
    line: (text) => output.line(text),
    done: () => {
      if (pending !== undefined && pace === undefined) show(pending);
    },
  };
}
