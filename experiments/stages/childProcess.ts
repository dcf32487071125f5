import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { COLUMNS, COLUMNS_VARIABLE, type JsonObject, type Output, PARENT_VARIABLE } from '#src/cli';
import { changeThreads } from '#src/engine';
import { packageRoot } from './packageRoot.js';
import { pluginWords } from './plugins.js';
import { stageError } from './stageError.js';
import { verifyWords } from './verifyOption.js';

/** Columns of a stage's name before its lines, with the space after it. */
const NAME_COLUMNS = 10;

/** Begins the lines in which a command says why it ended, and notices. */
const ERROR_START = 'tokenfuse: ';

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
  /** Passes a signal on. */
  signal(name: NodeJS.Signals): void;
}

/**
 * Runs a tokenfuse command in a process of its own, so that two backbones train side by side and each stage's memory is
 * freed when it ends. It gets the same plugins. Its output lines are prefixed with the stage's name.
 *
 * @param threads of the native engine at first; undefined for as many as it likes
 */
export function startChild(
  stage: string,
  words: readonly string[],
  output: Output,
  threads: number | undefined,
): ChildProcess {
  const program = fileURLToPath(new URL('dist/experiments/main.js', packageRoot));
  const child = spawn(process.execPath, [program, ...words, ...pluginWords(), ...verifyWords(), '--json'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      [PARENT_VARIABLE]: String(process.pid),
      [COLUMNS_VARIABLE]: String(COLUMNS - NAME_COLUMNS),
      ...(threads === undefined ? {} : { TOKENFUSE_THREADS: String(threads) }),
    },
  });
  let result = '';
  let partial = '';
  let lastLine = '';
  let errors: string[] = [];
  const print = (line: string): void => {
    lastLine = line || lastLine;
    // A progress line starts with its run's name, usually that of the stage: do not print it twice.
    const name = [`${stage} `, `${stage}: `].find((start) => line.startsWith(start));
    output.line(`${stage.padEnd(NAME_COLUMNS - 1)} ${line.slice(name?.length ?? 0)}`.trimEnd());
  };
  const take = (line: string): void => {
    if (line.startsWith(ERROR_START)) {
      errors.push(line.slice(ERROR_START.length));
      return;
    }
    // What it went on after was a notice.
    for (const notice of errors) print(notice);
    errors = [];
    print(line);
  };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    result += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (partial + text).split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  const finished = new Promise<ChildResult>((resolveStage, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (partial !== '') take(partial);
      if (code === 0) resolveStage(JSON.parse(result) as ChildResult);
      else reject(stageError(stage, { code, signal, errors, lastLine }));
    });
  });
  return {
    finished,
    setThreads: (count) => {
      // With a callback, a child that has just ended is no error: without one, it would fail the stage.
      if (child.connected) child.send({ threads: count }, () => undefined);
    },
    signal: (name) => {
      // On Windows `kill` would end it at once; a console's Ctrl-C reaches every process there.
      if (process.platform !== 'win32') child.kill(name);
    },
  };
}

/** In a stage: takes over the cores of a parallel one that ends. Numbers do not depend on it. */
export function takeThreadsFromParent(): void {
  if (process.channel === undefined) return;
  process.on('message', (message) => {
    const { threads } = message as { threads?: unknown };
    if (typeof threads === 'number') void changeThreads(threads);
  });
  // The channel alone must not keep a finished command alive.
  process.channel?.unref();
}
