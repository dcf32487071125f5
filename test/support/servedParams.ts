import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { startTokenfuse } from './tokenfuse.js';

/** A `tokenfuse serve-params` in a process of its own. */
export interface ServedParams {
  readonly url: string;
  /** Sends a signal and waits for the end. @returns the exit code, and what was said */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Starts to serve a model; the process ends with the test at the latest. @param words the model, `--groups` … */
export async function serveParams(folder: string, words: readonly string[]): Promise<ServedParams> {
  const child = startTokenfuse(['serve-params', ...words, '--port', '0', '--engine', 'cpu'], folder);
  onTestFinished(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  const url = await new Promise<string>((resolve, reject) => {
    // Under --json the lines are on stderr.
    const look = (text: string): void => {
      const found = /^serving at ([^\s,]+).*\n/m.exec(text);
      if (found) resolve(found[1]);
    };
    child.stdout!.on('data', (chunk) => {
      stdout += chunk;
      look(stdout);
    });
    child.stderr!.on('data', (chunk) => {
      stderr += chunk;
      look(stderr);
    });
    child.once('close', () => reject(new Error(`serve-params ended: ${stderr}`)));
  });
  return {
    url,
    end: async (signal) => {
      const closed = once(child, 'close');
      child.kill(signal);
      const [code] = await closed;
      return { code, stdout, stderr };
    },
  };
}
