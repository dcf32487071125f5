import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { JsonObject, Output } from '#src/cli';
import { changeThreads } from '#src/engine';
import { RunError } from '#src/errors';
import { packageRoot } from './packageRoot.js';
import { pluginWords } from './plugins.js';
import { verifyWords } from './verifyOption.js';

/** Environment variable by which a process tells its children its process id. */
const PARENT_VARIABLE = 'TOKENFUSE_PARENT';

/** What a command run as a process of its own reports. */
export interface ChildResult extends JsonObject {
  readonly process: { readonly seconds: number; readonly peakMemoryBytes: number };
}

/** A command running in a process of its own. */
export interface ChildProcess {
  /** @throws UserError with the command's own message when it fails */
  readonly finished: Promise<ChildResult>;
  /** Changes the number of threads of its native engine, which gives the same numbers with any. */
  setThreads(threads: number): void;
}

/**
 * Runs a tokenfuse command in a process of its own, so that two backbones train side by side and each stage's memory is
 * freed when it ends. It gets the same plugins. Its output lines are prefixed with the stage's name.
 *
 * @param threads of the native engine at first; undefined for as many as it likes
 * @param signal ends the process when another stage has failed
 */
export function startChild(
  stage: string,
  words: readonly string[],
  output: Output,
  signal: AbortSignal,
  threads: number | undefined,
): ChildProcess {
  const program = fileURLToPath(new URL('dist/experiments/main.js', packageRoot));
  const child = spawn(process.execPath, [program, ...words, ...pluginWords(), ...verifyWords(), '--json'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      [PARENT_VARIABLE]: String(process.pid),
      ...(threads === undefined ? {} : { TOKENFUSE_THREADS: String(threads) }),
    },
    signal,
  });
  let result = '';
  let partial = '';
  let lastLines: string[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    result += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (partial + text).split('\n');
    partial = lines.pop() ?? '';
    // A progress line starts with its run's name, usually that of the stage: do not print it twice.
    const bare = lines.map((line) => {
      const name = [`${stage} `, `${stage}: `].find((start) => line.startsWith(start));
      return line.slice(name?.length ?? 0);
    });
    for (const line of bare) output.line(`${stage.padEnd(9)} ${line}`.trimEnd());
    lastLines = [...lastLines, ...lines].slice(-5);
  });
  const finished = new Promise<ChildResult>((resolveStage, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolveStage(JSON.parse(result) as ChildResult);
      else reject(new RunError(`stage '${stage}' failed with exit code ${code}: ${lastLines.at(-1) ?? '(no output)'}`));
    });
  });
  return {
    finished,
    setThreads: (count) => {
      if (child.connected) child.send({ threads: count });
    },
  };
}

/** The child's side of `startChild`: ends with its parent, and takes a number of threads from it. */
export function followParent(): void {
  endWithParent();
  takeThreadsFromParent();
}

/**
 * Ends this process when the pipeline that started it is gone. A killed pipeline cannot end its stages, and one that
 * kept training would write into the same run directory as its successor. A separate thread watches the parent, since work
 * on wasm may block the event loop.
 */
function endWithParent(): void {
  const parent = Number(process.env[PARENT_VARIABLE]);
  delete process.env[PARENT_VARIABLE]; // meant for this process and for none that it may start
  if (!Number.isInteger(parent) || parent <= 0) return;
  const watch = `setInterval(() => process.ppid === ${parent} || process.kill(process.pid, 'SIGKILL'), 250)`;
  new Worker(watch, { eval: true }).unref();
}

/** A stage takes over the cores of a parallel one that ends. Numbers do not depend on it. */
function takeThreadsFromParent(): void {
  if (process.channel === undefined) return;
  process.on('message', (message) => {
    const { threads } = message as { threads?: unknown };
    if (typeof threads === 'number') void changeThreads(threads);
  });
  // The channel alone must not keep a finished command alive.
  process.channel?.unref();
}
