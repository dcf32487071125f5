import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createRandom } from '#src/random';
import { CommandPool } from './commandPool.js';
import { prepareFolder, type TortureCommand } from './commands.js';
import { inLanes } from './lanes.js';
import type { Loss, Part } from './part.js';
import { clearFolder, lossesAfter } from './recovery.js';
import { type Reference, referenceOf } from './reference.js';
import { sharesOf } from './shares.js';

const FULL_SIZE = 120;
const PROGRAM = join(import.meta.dirname, '../../experiments/main.js');
/** Until the program has loaded, nothing can be lost; most signals come later. */
const LOADING_MS = 600;
/** A stopped command has so long to finish its step and to write what it has. */
const STOP_MS = 10_000;
const SIGNALS = ['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const;
type EndingSignal = (typeof SIGNALS)[number];

interface Stop {
  readonly command: TortureCommand;
  readonly reference: Reference;
  readonly signal: EndingSignal;
  /** Share of the time that the command takes. */
  readonly moment: number;
  /** Whether the processes that it started get the signal too, as from a terminal. */
  readonly group: boolean;
}

/** Ends the program itself at a random time, and runs the command again. */
export const killsByTime: Part = {
  name: 'clock',
  summary: 'SIGKILL, SIGTERM, SIGINT or SIGHUP at a random time; then the same command again',
  run: async (setting) => {
    const stops: Stop[] = [];
    for (const { command, count } of sharesOf(setting.commands, Math.ceil(FULL_SIZE * setting.size))) {
      const reference = await referenceOf(command, setting);
      const random = createRandom(setting.seed, 'clock', command.name);
      for (let i = 0; i < count; i++) {
        const [signal, moment] = [random.choice(SIGNALS), random.uniform()];
        stops.push({ command, reference, signal, moment, group: random.uniform() < 0.5 });
      }
    }
    const losses: Loss[] = [];
    let attempted = 0;
    const pool = new CommandPool(setting.scratch, undefined);
    await inLanes(setting.jobs, stops, async (stop, index) => {
      const { command, reference, signal } = stop;
      const folder = join(setting.scratch, `clock-${index}`);
      prepareFolder(command, setting.workshop, folder);
      const milliseconds = LOADING_MS + stop.moment * 1.5 * reference.milliseconds;
      const child = startProgram(command.words, folder);
      const problem = await problemAtStop(child, milliseconds, stop);
      if (problem !== 'ended before') attempted++;
      const process = await pool.take();
      const why = await lossesAfter(command, folder, reference, process);
      if (problem !== undefined && problem !== 'ended before') why.unshift(problem);
      pool.giveBack(process);
      const what = `${command.name}, ${signal} after ${milliseconds.toFixed(0)} ms (${folder})`;
      if (why.length > 0) losses.push({ what, why: why.join('; ') });
      clearFolder(folder, why.length > 0, setting);
    });
    await pool.end();
    return { attempted, losses };
  },
};

/** Starts the built program in a process group of its own. */
export function startProgram(words: readonly string[], cwd: string): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...words], { cwd, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
}

/** What the program did wrong at the signal; it may have ended before. */
async function problemAtStop(
  child: ChildProcess,
  milliseconds: number,
  { signal, group }: Stop,
): Promise<string | undefined> {
  let stderr = '';
  child.stderr?.on('data', (text) => {
    stderr += text;
  });
  const closed = once(child, 'close');
  await Promise.race([wait(milliseconds), closed]);
  if (child.exitCode !== null) return 'ended before';
  const pid = child.pid as number;
  process.kill(group ? -pid : pid, signal);
  const limit = new AbortController();
  const inTime = await Promise.race([
    closed.then(() => true),
    wait(STOP_MS, false, { signal: limit.signal }).catch(() => false),
  ]);
  limit.abort();
  if (!inTime) {
    process.kill(-pid, 'SIGKILL');
    await closed;
    return `still running ${STOP_MS / 1000} s after ${signal}`;
  }
  const expected = [0, 128 + constants.signals[signal], null];
  if (!expected.includes(child.exitCode)) return `exit code ${child.exitCode} after ${signal}: ${stderr.trim()}`;
  return /this is a bug|\n {4}at /.test(stderr) ? `after ${signal}: ${stderr.trim()}` : undefined;
}
