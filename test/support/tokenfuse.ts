import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { PROGRAM } from '#experiments';
import { runCli, type Streams } from '#src/cli';

const program = join(import.meta.dirname, '../../dist/experiments/main.js');

/** What a finished command said. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the built command line as a user would. `group`: in a process group of its own, to be killed whole. */
export function startTokenfuse(words: readonly string[], cwd: string, group = false): ChildProcess {
  if (!existsSync(program)) throw new Error(`expected the built program at ${program}; run npm run build first`);
  return spawn(process.execPath, [program, ...words], { cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: group });
}

/** Runs a command to its end in a process of its own. */
export function tokenfuseProcess(words: readonly string[], cwd: string): Promise<Outcome> {
  return outcomeOf(startTokenfuse(words, cwd));
}

/** Runs a JavaScript file to its end. */
export function runScript(path: string, cwd: string): Promise<Outcome> {
  return outcomeOf(spawn(process.execPath, [path], { cwd, stdio: ['ignore', 'pipe', 'pipe'] }));
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr!.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/** Runs a command to its end in this process, in that folder: a second faster than starting the program. */
export async function tokenfuse(words: readonly string[], cwd: string): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  const streams: Streams = {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  };
  const before = process.cwd();
  process.chdir(cwd);
  try {
    return { code: await runCli(PROGRAM, words, streams), stdout, stderr };
  } finally {
    process.chdir(before);
  }
}

/** The one line by which a command refuses; more lines, a stack or another exit code fail the test. */
export async function refusal(
  words: readonly string[],
  cwd: string,
  exitCode: 1 | 2,
  run: typeof tokenfuse = tokenfuse,
): Promise<string> {
  const { code, stderr } = await run(words, cwd);
  expect(stderr).toMatch(/^tokenfuse: [^\n]+\n$/);
  expect(code).toBe(exitCode);
  return stderr.trimEnd();
}

/** Writes an experiment file and returns its path. */
export function writeExperiment(
  folder: string,
  experiment: Readonly<Record<string, unknown>> & { kind: string },
  name = experiment.kind,
): string {
  const path = join(folder, `${name}.yaml`);
  writeFileSync(path, stringify(experiment));
  return path;
}
