import { constants } from 'node:os';
import { RunError, UserError } from '#src/errors';

/** How a stage's process ended, other than well. */
export interface StageEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said of it. */
  readonly errors: readonly string[];
  /** The last of its other lines. */
  readonly lastLine: string;
}

/** The error of a stage that failed: what is wrong with the input stays exit code 2. */
export function stageError(stage: string, { code, signal, errors, lastLine }: StageEnd): UserError {
  const killed = signal ?? signalOf(code);
  if (killed !== undefined && errors.length === 0) {
    const hint =
      killed === 'SIGKILL'
        ? '; where nobody did that, memory ran out: take a smaller batchSize or imageSize, or run fewer stages at a time (--threads 1)'
        : '';
    return new RunError(`stage '${stage}' was killed by ${killed}${hint}`);
  }
  const said = errors.length > 0 ? errors : [`ended with exit code ${code}${lastLine === '' ? '' : `: ${lastLine}`}`];
  const message = said.map((line) => `stage '${stage}': ${line}`).join('\n');
  return code === 2 ? new UserError(message) : new RunError(message);
}

/** The signal that an exit code of 128 + n stands for. */
function signalOf(code: number | null): NodeJS.Signals | undefined {
  const names = Object.keys(constants.signals) as NodeJS.Signals[];
  return names.find((name) => code === 128 + constants.signals[name]);
}
