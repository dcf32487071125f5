import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { shellWord } from '#src/cli';

/** What a finished command said. */
export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** A shell in which `tokenfuse` and `npx tokenfuse` are the built program. */
export interface Shell {
  run(command: string, cwd: string): Promise<Outcome>;
  /** Starts a command that does not end by itself, and waits for its first line; undefined when it fails before. */
  start(command: string, cwd: string): Promise<ChildProcess | undefined>;
}

/** @param folder for the two programs */
export function openShell(root: string, folder: string): Shell {
  mkdirSync(folder, { recursive: true });
  const program = `${shellWord(process.execPath)} ${shellWord(join(root, 'dist/experiments/main.js'))} "$@"`;
  const scripts = { tokenfuse: `exec ${program}`, npx: `shift; exec ${program}` };
  for (const [name, line] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${line}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
  const begin = (command: string, cwd: string): ChildProcess =>
    spawn('bash', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  return {
    run: async (command, cwd) => {
      const child = begin(command, cwd);
      let output = '';
      for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (output += chunk));
      const [code] = await once(child, 'close');
      return { code, output };
    },
    start: async (command, cwd) => {
      const child = begin(`exec ${command}`, cwd);
      await Promise.race([once(child.stdout!, 'data'), once(child, 'close')]);
      return child.exitCode === null || child.exitCode === 0 ? child : undefined;
    },
  };
}
