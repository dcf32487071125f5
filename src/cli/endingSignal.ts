import { interruption } from './interruption.js';

/** Ends with the first signal that asks this process to end: for servers, which work until then. */
export function endingSignal(): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (interruption.signal === undefined) return;
      stop();
      resolve();
    };
    const stop = interruption.listen(check);
    check();
  });
}
