import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createRandom } from '#src/random';
import { CommandProcess } from './commandProcess.js';
import { prepareFolder, type TortureCommand } from './commands.js';
import { inLanes } from './lanes.js';
import type { Loss, Part } from './part.js';
import { clearFolder, lossesAfter } from './recovery.js';
import { type Reference, referenceOf } from './reference.js';
import { sharesOf } from './shares.js';

const FULL_SIZE = 120;
const PROGRAM = join(import.meta.dirname, '../../experiments/main.js');
/** Until the program has loaded, nothing can be lost; most kills come later. */
const LOADING_MS = 600;

interface Kill {
  readonly command: TortureCommand;
  readonly reference: Reference;
  /** Share of the time that the command takes. */
  readonly moment: number;
  /** Whether the processes that it started die with it at once. */
  readonly group: boolean;
}

/** Kills the program itself at a random time, and runs the command again. */
export const killsByTime: Part = {
  name: 'clock',
  summary: 'SIGKILL at a random time; then the same command again',
  run: async (setting) => {
    const kills: Kill[] = [];
    for (const { command, count } of sharesOf(setting.commands, Math.ceil(FULL_SIZE * setting.size))) {
      const reference = await referenceOf(command, setting);
      const random = createRandom(setting.seed, 'clock', command.name);
      for (let i = 0; i < count; i++) {
        kills.push({ command, reference, moment: random.uniform(), group: random.uniform() < 0.5 });
      }
    }
    const losses: Loss[] = [];
    let attempted = 0;
    const idle: CommandProcess[] = [];
    await inLanes(setting.jobs, kills, async ({ command, reference, moment, group }, index) => {
      const folder = join(setting.scratch, `clock-${index}`);
      prepareFolder(command, setting.workshop, folder);
      const milliseconds = LOADING_MS + moment * 1.5 * reference.milliseconds;
      if (await killedAfter(milliseconds, startProgram(command.words, folder), group)) attempted++;
      const process = idle.pop() ?? (await CommandProcess.start(setting.scratch, undefined));
      const why = await lossesAfter(command, folder, reference, process);
      idle.push(process);
      const what = `${command.name}, killed after ${milliseconds.toFixed(0)} ms (${folder})`;
      if (why.length > 0) losses.push({ what, why: why.join('; ') });
      clearFolder(folder, why.length > 0, setting);
    });
    await Promise.all(idle.map((process) => process.end()));
    return { attempted, losses };
  },
};

/** Starts the built program in a process group of its own. */
export function startProgram(words: readonly string[], cwd: string): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...words], { cwd, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
}

/** Whether the process was still there to be killed. */
async function killedAfter(milliseconds: number, child: ChildProcess, group: boolean): Promise<boolean> {
  const closed = once(child, 'close');
  await Promise.race([wait(milliseconds), closed]);
  if (child.exitCode !== null) return false;
  process.kill(group ? -(child.pid as number) : (child.pid as number), 'SIGKILL');
  await closed;
  return true;
}
