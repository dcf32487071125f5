import { join } from 'node:path';
import { createRandom } from '#src/random';
import { CommandPool } from './commandPool.js';
import { prepareFolder, type TortureCommand } from './commands.js';
import type { Fault } from './faultControl.js';
import { inLanes } from './lanes.js';
import type { Loss, Part, PartResult, Setting } from './part.js';
import { clearFolder, lossesAfter } from './recovery.js';
import { type Reference, referenceOf } from './reference.js';
import { sharesOf } from './shares.js';

/** With those at random times, a thousand. */
const FULL_SIZE = 880;
const KILLS: readonly Fault[] = ['kill', 'halfThenKill'];
/** Where stages run in processes of their own, the whole group may die, or only the one that makes the call. */
const GROUP_KILLS: readonly Fault[] = ['kill', 'killGroup', 'halfThenKill'];

interface Kill {
  readonly command: TortureCommand;
  readonly reference: Reference;
  readonly at: number;
  readonly fault: Fault;
}

/** Kills every command that writes at a random call that changes files, and runs it again. */
export const killsByCall: Part = {
  name: 'kills',
  summary: 'SIGKILL at a random call that changes files, or in the middle of a write; then the same command again',
  run: async (setting) => {
    if (!('library' in setting.faults)) return { attempted: 0, losses: [], skipped: setting.faults.missing };
    const { library } = setting.faults;
    const kills: Kill[] = [];
    for (const { command, count } of sharesOf(setting.commands, Math.ceil(FULL_SIZE * setting.size))) {
      const reference = await referenceOf(command, setting);
      const random = createRandom(setting.seed, 'kills', command.name);
      for (let i = 0; i < count; i++) {
        const fault = random.choice(command.severalProcesses ? GROUP_KILLS : KILLS);
        kills.push({ command, reference, at: 1 + random.integer(reference.calls), fault });
      }
    }
    return killEach(kills, setting, library);
  },
};

/** A process is killed in one folder after it has gone on in the one before: starting it is most of the work. */
async function killEach(kills: readonly Kill[], setting: Setting, library: string): Promise<PartResult> {
  const losses: Loss[] = [];
  let attempted = 0;
  const pool = new CommandPool(setting.scratch, library);
  await inLanes(setting.jobs, kills, async ({ command, reference, at, fault }, index) => {
    const folder = join(setting.scratch, `killed-${index}`);
    prepareFolder(command, setting.workshop, folder);
    const victim = await pool.take();
    victim.faults?.watch(folder, at, fault);
    await victim.run(command.words, folder);
    const reached = victim.faults?.read().reached === true;
    await victim.end();
    const next = await pool.take();
    const why = await lossesAfter(command, folder, reference, next);
    pool.giveBack(next);
    // A run may make a few calls less than the one that was counted.
    if (reached) attempted++;
    if (why.length > 0)
      losses.push({ what: `${command.name}, ${fault} at call ${at} (${folder})`, why: why.join('; ') });
    clearFolder(folder, why.length > 0, setting);
  });
  await pool.end();
  return { attempted, losses };
}
