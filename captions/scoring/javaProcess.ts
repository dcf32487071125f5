import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { RunError, UserError } from '#src/errors';
import { fileStatus, systemErrorWords } from '#src/storage';

/** Where a scorer's jar is, and how long it may take. */
export interface JarOptions {
  readonly jar: string;
  /** Default: 3600. */
  readonly timeoutSeconds?: number;
  /** The Java executable. Default: `java` on the PATH. */
  readonly java?: string;
}

/** A running jar that communicates line by line. */
export interface JavaProcess {
  write(line: string): void;
  /** The next line of its output; undefined after the last one if it exited successfully. */
  nextLine(): Promise<string | undefined>;
  /** Kills the process. */
  stop(): void;
}

/**
 * Starts `java <memory> -jar <jar> <args>` in the jar's folder.
 *
 * @param name name of the scorer, for error messages
 * @throws UserError when the jar is not a file; `nextLine` throws one when Java is missing, fails or times out
 */
export function startJava(
  name: string,
  memory: string,
  args: readonly string[],
  { jar, timeoutSeconds = 3600, java = 'java' }: JarOptions,
): JavaProcess {
  const path = resolve(jar);
  const found = fileStatus(path, `the jar of ${name}`);
  if (!found?.isFile()) {
    throw new UserError(`${name}: expected its jar at ${path}, got ${found ? 'a folder' : 'no such file'}`);
  }
  const child = spawn(java, [memory, '-jar', path, ...args], { cwd: dirname(path), stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  let failure: UserError | undefined;
  child.stderr.on('data', (chunk) => {
    complaint = (complaint + chunk).slice(0, 10_000);
  });
  // A process that exits early breaks the pipe; its exit status is the more useful error.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<void>((settle) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'ENOENT' ? 'not found: install Java, or score without the jar' : systemErrorWords(error);
      failure ??= new UserError(`${name}: expected '${java}' on the PATH, ${why}`);
      settle();
    });
    child.on('close', (code, signal) => {
      const said =
        complaint
          .split('\n')
          .find((line) => /\S/.test(line))
          ?.trim() ?? '(no output)';
      if (code !== 0) failure ??= new RunError(`${name}: java exited with ${signal ?? `exit code ${code}`}: ${said}`);
      settle();
    });
  });
  const timer = setTimeout(() => {
    failure ??= new RunError(
      `${name}: java took longer than ${timeoutSeconds} s and was stopped: increase the limit, or score fewer images`,
    );
    child.kill('SIGKILL');
  }, timeoutSeconds * 1000);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    write: (line) => void child.stdin.write(`${line}\n`),
    nextLine: async () => {
      const { value, done } = await lines.next();
      if (!done) return value;
      await ended;
      clearTimeout(timer);
      if (failure !== undefined) throw failure;
      return undefined;
    },
    stop: () => {
      clearTimeout(timer);
      child.kill('SIGKILL');
    },
  };
}
