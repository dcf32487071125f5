import { join } from 'node:path';
import { createRandom } from '#src/random';
import { CommandPool } from './commandPool.js';
import type { Outcome } from './commandProcess.js';
import { prepareFolder, type TortureCommand } from './commands.js';
import { brokenFiles, differences, folderContent, temporaryFiles } from './folderContent.js';
import { inLanes } from './lanes.js';
import type { Loss, Part } from './part.js';
import { clearFolder, lossesAfter } from './recovery.js';
import { type Reference, referenceOf } from './reference.js';
import { sharesOf } from './shares.js';

const FULL_SIZE = 300;

interface FullDisk {
  readonly command: TortureCommand;
  readonly reference: Reference;
  readonly at: number;
  readonly fault: 'full' | 'fullOnce';
}

/** Lets the disk be full from a random call on, or at one call, and then runs the command with space again. */
export const fullDisk: Part = {
  name: 'disk',
  summary: 'no space left from a random call on, or at one call only; then the same command with space',
  run: async (setting) => {
    if (!('library' in setting.faults)) return { attempted: 0, losses: [], skipped: setting.faults.missing };
    const { library } = setting.faults;
    const attempts: FullDisk[] = [];
    for (const { command, count } of sharesOf(setting.commands, Math.ceil(FULL_SIZE * setting.size))) {
      const reference = await referenceOf(command, setting);
      const random = createRandom(setting.seed, 'disk', command.name);
      for (let i = 0; i < count; i++) {
        const fault = random.uniform() < 0.75 ? 'full' : 'fullOnce';
        attempts.push({ command, reference, at: 1 + random.integer(reference.calls), fault });
      }
    }
    const losses: Loss[] = [];
    let attempted = 0;
    const pool = new CommandPool(setting.scratch, library);
    await inLanes(setting.jobs, attempts, async (attempt, index) => {
      const { command, reference, at, fault } = attempt;
      const folder = join(setting.scratch, `full-${index}`);
      prepareFolder(command, setting.workshop, folder);
      const process = await pool.take();
      process.faults?.watch(folder, at, fault);
      const outcome = await process.run(command.words, folder);
      const reached = process.faults?.read().reached === true;
      const why = reached ? problemsOf(outcome, attempt, folder) : [];
      why.push(...(await lossesAfter(command, folder, reference, process)));
      pool.giveBack(process);
      if (reached) attempted++;
      if (why.length > 0) {
        losses.push({ what: `${command.name}, ${fault} at call ${at} (${folder})`, why: why.join('; ') });
      }
      clearFolder(folder, why.length > 0, setting);
    });
    await pool.end();
    return { attempted, losses };
  },
};

/** Either the command got by without that call, and did all its work, or it says what happened in one line. */
function problemsOf({ code, stderr }: Outcome, { reference }: FullDisk, folder: string): string[] {
  const left = temporaryFiles(folder).map((path) => `${path} is left over after the failure`);
  if (code === 0) return [...left, ...differences(reference.content, folderContent(folder))].slice(0, 3);
  const lines = stderr.trimEnd().split('\n');
  const said = lines.length === 1 && /disk is full/.test(lines[0]) && code === 1;
  const problems = said ? [] : [`expected exit code 1 and one line 'disk is full', got ${code}: ${lines.join(' | ')}`];
  return [...problems, ...left.slice(0, 2), ...brokenFiles(folder).slice(0, 2)];
}
