import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { JsonObject, Output } from '#src/cli';
import { UserError } from '#src/errors';
import { PARENT_VARIABLE } from './endWithParent.js';
import { packageRoot } from './packageRoot.js';
import { pluginWords } from './plugins.js';

/** What a command run as a process of its own reports. */
export interface ChildResult extends JsonObject {
  readonly process: { readonly seconds: number; readonly peakMemoryBytes: number };
}

/** A command at work in a process of its own. */
export interface ChildStage {
  /** @throws UserError with the command's own message when it fails */
  readonly finished: Promise<ChildResult>;
  /** Changes the number of threads of its native engine, which gives the same numbers with any. */
  setThreads(threads: number): void;
}

/**
 * Runs a tokenfuse command in a process of its own, so that two backbones train side by side and each stage's memory is
 * given back when it ends. It gets the plugins of this one. Its lines come through with the stage's name in front.
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
): ChildStage {
  const program = fileURLToPath(new URL('dist/experiments/main.js', packageRoot));
  const child = spawn(process.execPath, [program, ...words, ...pluginWords(), '--json'], {
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
    // A progress line begins with its run's name, which is mostly the stage's: once is enough.
    const bare = lines.map((line) => (line.startsWith(`${stage} `) ? line.slice(stage.length + 1) : line));
    for (const line of bare) output.line(`${stage.padEnd(9)} ${line}`.trimEnd());
    lastLines = [...lastLines, ...lines].slice(-5);
  });
  const finished = new Promise<ChildResult>((resolveStage, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolveStage(JSON.parse(result) as ChildResult);
      else
        reject(
          new UserError(`stage '${stage}' failed with exit code ${code}: ${lastLines.at(-1) ?? 'it said nothing'}`),
        );
    });
  });
  return {
    finished,
    setThreads: (count) => {
      if (child.connected) child.send({ threads: count });
    },
  };
}
