import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { UserError } from '#src/errors';

/** Where a scorer's jar is, and how long it may take. */
export interface JarOptions {
  readonly jar: string;
  /** 3600 when not given. */
  readonly timeoutSeconds?: number;
  /** The program that runs it; `java` on the PATH when not given. */
  readonly java?: string;
}

/** A running jar with line-based input and output. */
export interface JavaProcess {
  write(line: string): void;
  /** The next line of its output; undefined after the last one, when it ended well. */
  nextLine(): Promise<string | undefined>;
  /** Ends it, whatever it is doing. */
  stop(): void;
}

/**
 * Starts `java <memory> -jar <jar> <args>` in the jar's folder.
 *
 * @param name of the scorer, for errors
 * @throws UserError when the jar is not a file; `nextLine` throws one when there is no java, it fails or takes too long
 */
export function startJava(
  name: string,
  memory: string,
  args: readonly string[],
  { jar, timeoutSeconds = 3600, java = 'java' }: JarOptions,
): JavaProcess {
  const path = resolve(jar);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile()) {
    throw new UserError(`${name}: expected its jar at ${path}, got ${found ? 'a folder' : 'nothing there'}`);
  }
  const child = spawn(java, [memory, '-jar', path, ...args], { cwd: dirname(path), stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  let failure: UserError | undefined;
  child.stderr.on('data', (chunk) => {
    complaint = (complaint + chunk).slice(0, 10_000);
  });
  // A process that exits early breaks the pipe; its exit code and stderr say more.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<void>((settle) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'ENOENT' ? 'there is none: install Java, or score without the jar' : error.message;
      failure ??= new UserError(`${name}: expected '${java}' on the PATH, ${why}`);
      settle();
    });
    child.on('close', (code, signal) => {
      const said =
        complaint
          .split('\n')
          .find((line) => /\S/.test(line))
          ?.trim() ?? '(no output)';
      if (code !== 0) failure ??= new UserError(`${name}: java ended with ${signal ?? `exit code ${code}`}: ${said}`);
      settle();
    });
  });
  const timer = setTimeout(() => {
    failure ??= new UserError(
      `${name}: java took longer than ${timeoutSeconds} s and was ended: allow more, or score fewer images`,
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
