import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createRandom } from '#src/random';
import { CommandPool } from './commandPool.js';
import type { Outcome } from './commandProcess.js';
import { prepareFolder, type TortureCommand } from './commands.js';
import { differences, type FolderContent, folderContent } from './folderContent.js';
import type { Loss, Part } from './part.js';
import { clearFolder } from './recovery.js';
import { type Reference, referenceOf } from './reference.js';
import { sharesOf } from './shares.js';

const FULL_SIZE = 80;
const CACHE = '.tokenfuse';

/** `fresh`: both start. `resumed`: both go on after a kill. `cache`: each has an output of its own, the cache is one. */
type Meeting = 'fresh' | 'resumed' | 'cache';

/** Runs one command twice at the same time. */
export const twoWriters: Part = {
  name: 'writers',
  summary: 'two processes run one command in one folder, or share a cold cache',
  run: async (setting) => {
    const library = 'library' in setting.faults ? setting.faults.library : undefined;
    const losses: Loss[] = [];
    let attempted = 0;
    const commands = setting.commands.filter(({ severalProcesses }) => !severalProcesses);
    // One pair at a time: two processes are meant to meet.
    const pool = new CommandPool(setting.scratch, library);
    for (const { command, count } of sharesOf(commands, Math.ceil(FULL_SIZE * setting.size))) {
      const reference = await referenceOf(command, setting);
      const random = createRandom(setting.seed, 'writers', command.name);
      for (let i = 0; i < count; i++) {
        const meeting = meetingOf(command, random.choice<Meeting>(['fresh', 'resumed', 'cache']), library);
        const folder = join(setting.scratch, `writers-${command.name.replaceAll(' ', '-')}-${i}`);
        prepareFolder(command, setting.workshop, folder);
        if (meeting === 'resumed') {
          const victim = await pool.take();
          victim.faults?.watch(folder, 1 + random.integer(reference.calls), 'kill');
          await victim.run(command.words, folder);
          await victim.end();
        }
        const delay = random.choice([0, 2, 10, 40]);
        const outcomes = await runTwice((at) => wordsOf(command, meeting, at), folder, delay, pool);
        attempted++;
        const why = lossesOf(command, outcomes, meeting, reference, folder);
        const what = `${command.name}, ${meeting}, the second ${delay} ms later (${folder})`;
        if (why.length > 0) losses.push({ what, why: why.join('; ') });
        clearFolder(folder, why.length > 0, setting);
      }
    }
    await pool.end();
    return { attempted, losses };
  },
};

/** Runs two commands in one folder, the second some milliseconds after the first. */
async function runTwice(
  wordsOf: (at: number) => readonly string[],
  folder: string,
  delay: number,
  pool: CommandPool,
): Promise<Outcome[]> {
  const pair = [await pool.take(), await pool.take()];
  return Promise.all(
    pair.map(async (process, at) => {
      await wait(at * delay);
      const outcome = await process.run(wordsOf(at), folder);
      if (outcome.code === null) await process.end();
      else pool.giveBack(process);
      return outcome;
    }),
  );
}

/** Only commands that go on after an interruption can meet there, and only training has a cache. */
function meetingOf({ runDir }: TortureCommand, wanted: Meeting, library: string | undefined): Meeting {
  if (runDir === undefined || (wanted === 'resumed' && library === undefined)) return 'fresh';
  return wanted;
}

function wordsOf({ words, again }: TortureCommand, meeting: Meeting, at: number): readonly string[] {
  if (meeting === 'cache') return [...words, '--out', `out-${at}`];
  return meeting === 'resumed' && again !== undefined ? again : words;
}

/** One at least has worked, another gives one line, and the folder is as if only one had been there. */
function lossesOf(
  { runDir }: TortureCommand,
  outcomes: readonly Outcome[],
  meeting: Meeting,
  reference: Reference,
  folder: string,
): string[] {
  const content = folderContent(folder);
  if (meeting === 'cache' && runDir !== undefined) {
    const refused = outcomes.filter(({ code }) => code !== 0).map(({ code, stderr }) => `exit code ${code}: ${stderr}`);
    return refused.length > 0 ? refused : cacheDifferences(runDir, reference.content, content);
  }
  const [winners, others] = [outcomes.filter(({ code }) => code === 0), outcomes.filter(({ code }) => code !== 0)];
  const unclear = others
    .filter(({ code, stderr }) => (code !== 1 && code !== 2) || !/^(tokenfuse: [^\n]+\n)+$/.test(stderr))
    .map(({ code, stderr }) => `expected one line and exit code 1, got ${code}: ${stderr.trim()}`);
  const none =
    winners.length === 0 ? [`neither worked: ${outcomes.map(({ stderr }) => stderr.trim()).join(' | ')}`] : [];
  // Both may work where the second finds the work done; two that trained at a time would have hurt each other.
  return [...none, ...unclear, ...differences(reference.content, content).slice(0, 4)];
}

/** The outputs beside the shared cache, each against that of the unbroken run. */
function cacheDifferences(out: string, expected: FolderContent, found: FolderContent): string[] {
  const under = (content: FolderContent, folder: string): FolderContent => {
    const inside = [...content].filter(([path]) => path.startsWith(`${folder}/`));
    return new Map(inside.map(([path, hash]) => [path.slice(folder.length + 1), hash]));
  };
  return [
    ...differences(under(expected, out), under(found, 'out-0')),
    ...differences(under(expected, out), under(found, 'out-1')),
    ...differences(under(expected, CACHE), under(found, CACHE)),
  ].slice(0, 4);
}
