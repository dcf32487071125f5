import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startChild } from '../../../experiments/stages/childProcess.js';
import { recordedOutput } from '../../support/streams.js';

it('takes threads that come when the process has just ended', async () => {
  const child = startChild('config', ['config', 'merge'], recordedOutput(), undefined);
  let ended = false;
  void child.finished.finally(() => {
    ended = true;
  });
  // This thread is kept busy over the end of the process, so that it does not hear of it before it sends.
  while (!ended) {
    const end = performance.now() + 300;
    while (performance.now() < end);
    for (let i = 0; i < 50; i++) child.setThreads(1);
    await wait(0);
  }
  expect(await child.finished).toMatchObject({ process: {} });
});
