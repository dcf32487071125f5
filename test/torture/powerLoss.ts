import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createRandom } from '#src/random';
import { CommandPool } from './commandPool.js';
import type { CommandProcess } from './commandProcess.js';
import { prepareFolder, type TortureCommand } from './commands.js';
import { Ext4Image, whyNoImages } from './ext4Image.js';
import { inLanes } from './lanes.js';
import type { Loss, Part, Setting } from './part.js';
import { lossesAfter } from './recovery.js';
import { type Reference, referenceOf } from './reference.js';

const POINTS_PER_COMMAND = 30;
const POINTS_OF_SEVERAL_PROCESSES = 3;
const AFTER_END_SHARE = 0.2;
/** No machine is back sooner; a lock that was cut short counts as left over after two seconds. */
const REBOOT_MS = 2500;
/** Cuts at a time, as a multiple of the jobs: for half of its time each waits for the machine to be back. */
const LANES_PER_JOB = 2;
/** The folder in the image in which the command runs. */
const WORK = 'work';

interface PowerCut {
  readonly command: TortureCommand;
  readonly reference: Reference;
  readonly base: Ext4Image;
  /** The call before which the power is cut; one more than there are: after the command has ended. */
  readonly at: number;
  /** Whether the journal has just been written: names are on the disk then, content that nobody flushed is not. */
  readonly journal: boolean;
}

/**
 * Cuts the power: the command is stopped at a call, and only what has reached the image of its file system by then is
 * kept. The command then runs again there.
 */
export const powerLoss: Part = {
  name: 'power',
  summary: 'a power cut at a random call, or after the end, on ext4; then the same command again',
  run: async (setting) => {
    if (!('library' in setting.faults)) return { attempted: 0, losses: [], skipped: setting.faults.missing };
    const images = join(setting.scratch, 'images');
    mkdirSync(images);
    const skipped = whyNoImages(images);
    if (skipped !== undefined) return { attempted: 0, losses: [], skipped };
    const { library } = setting.faults;
    const losses: Loss[] = [];
    let attempted = 0;
    const pool = new CommandPool(setting.scratch, library);
    for (const command of setting.commands) {
      const points = command.severalProcesses ? POINTS_OF_SEVERAL_PROCESSES : POINTS_PER_COMMAND;
      const count = command.severalProcesses ? Math.floor(points * setting.size) : Math.ceil(points * setting.size);
      if (count === 0) continue;
      const reference = await referenceOf(command, setting);
      const base = new Ext4Image(join(images, 'base.img'));
      base.make((folder) => prepareFolder(command, setting.workshop, join(folder, WORK)));
      const random = createRandom(setting.seed, 'power', command.name);
      const cuts = Array.from({ length: count }, (): PowerCut => {
        const at = random.uniform() < AFTER_END_SHARE ? reference.calls + 1 : 1 + random.integer(reference.calls);
        return { command, reference, base, at, journal: random.uniform() < 0.5 };
      });
      await inLanes(LANES_PER_JOB * setting.jobs, cuts, async (cut, index) => {
        const path = join(images, `${command.name.replaceAll(' ', '-')}-${index}`);
        const afterwards = await diskAfter(cut, path, await pool.take());
        const next = await pool.take();
        const why = await lossesOn(afterwards, cut, next, setting);
        pool.giveBack(next);
        attempted++;
        const when = `${cut.at > reference.calls ? 'after its end' : `at call ${cut.at}`}`;
        const what = `${command.name}, power cut ${when}${cut.journal ? ', journal written' : ''}`;
        if (why.length > 0) losses.push({ what, why: why.join('; ') });
      });
      base.remove();
    }
    await pool.end();
    return { attempted, losses };
  },
};

/** Runs the command up to the cut; what is on the disk then. The process ends. */
async function diskAfter(cut: PowerCut, path: string, victim: CommandProcess): Promise<Ext4Image> {
  const disk = cut.base.copyTo(`${path}.img`);
  disk.mount();
  const work = join(disk.folder, WORK);
  // A run may make more calls than the one that was counted: after the end is where nothing stops it.
  victim.faults?.watch(work, cut.at > cut.reference.calls ? 0 : cut.at, 'stopGroup');
  await Promise.race([victim.run(cut.command.words, work), stopped(victim)]);
  if (cut.journal) disk.commitJournal();
  // Mounted at the same place again, as after a reboot: results hold paths.
  const afterwards = disk.copyTo(`${path}.cut.img`, disk.folder);
  await victim.end();
  disk.remove();
  return afterwards;
}

/** Mounts the disk, which replays its journal, and runs the command again. */
async function lossesOn(disk: Ext4Image, { command, reference }: PowerCut, process: CommandProcess, { keep }: Setting) {
  let why: string[] = [];
  try {
    await wait(REBOOT_MS);
    disk.mount();
    why = await lossesAfter(command, join(disk.folder, WORK), reference, process);
    return why;
  } finally {
    disk.unmount();
    if (why.length === 0 || !keep) disk.remove();
  }
}

/** Resolves when the process has stopped itself, or is gone. */
async function stopped({ faults, pid }: CommandProcess): Promise<void> {
  const status = `/proc/${pid}/stat`;
  while (existsSync(status) && !(faults?.read().reached && / T /.test(readFileSync(status, 'utf8')))) await wait(5);
}
