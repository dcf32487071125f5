import { Worker } from 'node:worker_threads';

/** Environment variable by which a pipeline tells its stages its process id. */
export const PARENT_VARIABLE = 'TOKENFUSE_PARENT';

/**
 * Ends this process when the pipeline that started it is gone. A killed pipeline cannot end its stages, and one that
 * trained on would write into a run directory beside its successor. A thread of its own looks after the parent, since
 * work on wasm may leave the event loop no turn.
 */
export function endWithParent(): void {
  const parent = Number(process.env[PARENT_VARIABLE]);
  delete process.env[PARENT_VARIABLE]; // meant for this process and for none that it may start
  if (!Number.isInteger(parent) || parent <= 0) return;
  const watch = `setInterval(() => process.ppid === ${parent} || process.kill(process.pid, 'SIGKILL'), 250)`;
  new Worker(watch, { eval: true }).unref();
}
