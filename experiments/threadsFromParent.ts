import { changeThreads } from '#src/engine';

/**
 * Lets the pipeline that started this process change its number of threads: a stage that trains beside another one takes
 * over the cores when that one ends. Numbers do not depend on it.
 */
export function takeThreadsFromParent(): void {
  if (process.channel === undefined) return;
  process.on('message', (message) => {
    const { threads } = message as { threads?: unknown };
    if (typeof threads === 'number') void changeThreads(threads);
  });
  // The channel alone must not keep a finished command alive.
  process.channel?.unref();
}
