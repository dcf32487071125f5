import { showWork } from '#src/tracking';

/** Does work whose every report of progress calls `onLine` with its line, on a clock that goes fast enough for that. */
export function withProgress<T>(onLine: (line: string) => void, work: () => Promise<T>): Promise<T> {
  let ms = 0;
  return showWork({ line: (text = '') => onLine(text), interactive: false }, work, () => (ms += 20_000));
}
