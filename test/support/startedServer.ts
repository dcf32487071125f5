import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { startTokenfuse } from './tokenfuse.js';

/** A tokenfuse command that is a server, in a process of its own. */
export interface StartedServer {
  readonly url: string;
  /** What it has said so far. */
  stderr(): string;
  /** Sends a signal. */
  signal(name: NodeJS.Signals): void;
  /** Sends a signal and waits for the end. @returns the exit code, and what was said */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Starts a server; the process ends with the test at the latest. @param words the command and its options but `--port` */
export async function startServer(folder: string, words: readonly string[]): Promise<StartedServer> {
  const child = startTokenfuse([...words, '--port', '0'], folder);
  onTestFinished(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  const closed = once(child, 'close');
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
    child.once('close', () => reject(new Error(`${words[0]} ended: ${stderr}`)));
  });
  return {
    url,
    stderr: () => stderr,
    signal: (name) => void child.kill(name),
    end: async (signal) => {
      child.kill(signal);
      const [code] = await closed;
      return { code, stdout, stderr };
    },
  };
}
