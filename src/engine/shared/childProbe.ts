import { execFile } from 'node:child_process';

export type ChildResult = { readonly value: unknown } | { readonly failure: string; readonly stderr: string };

/**
 * Runs an ES module source in a child process and parses the JSON it prints last, so that a native library that crashes or
 * writes warnings on loading does neither here.
 *
 * @param argument what the source finds in `process.argv[1]`
 */
export function runInChild(source: string, argument: string, timeoutMs = 60_000): Promise<ChildResult> {
  return new Promise((resolve) => {
    const args = ['--input-type=module', '--eval', source, argument];
    execFile(process.execPath, args, { timeout: timeoutMs }, (error, stdout, stderr) => {
      if (error !== null) {
        const ending = error.killed
          ? `no answer within ${timeoutMs / 1000} s`
          : (error.signal ?? `exit code ${error.code}`);
        const reason = stderr.split('\n').find((line) => /^\s*\w*Error\b/.test(line));
        return resolve({ failure: reason === undefined ? `ended with ${ending}` : reason.trim(), stderr });
      }
      try {
        resolve({ value: JSON.parse(stdout.trim().split('\n').at(-1) ?? '') });
      } catch {
        resolve({ failure: 'ended without an answer', stderr });
      }
    });
  });
}
