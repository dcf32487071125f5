import { rmSync } from 'node:fs';
import type { CommandProcess } from './commandProcess.js';
import type { TortureCommand } from './commands.js';
import { brokenFiles, differences, folderContent } from './folderContent.js';
import type { Setting } from './part.js';
import type { Reference } from './reference.js';

const LEFT_LOCK = /(^|\/)\.([^/]+\.)?lock is left over$/;

/**
 * Runs a broken command again, as its user would, and says what was lost: nothing may be half-written before, and
 * afterwards everything must be as an unbroken run leaves it. A command whose work had ended may refuse to do it twice.
 */
export async function lossesAfter(
  command: TortureCommand,
  folder: string,
  reference: Reference,
  process: CommandProcess,
): Promise<string[]> {
  const broken = brokenFiles(folder).map((file) => `before going on, ${file}`);
  process.faults?.watch('');
  const { code, stderr } = await process.run(command.again ?? command.words, folder);
  const found = differences(reference.content, folderContent(folder));
  // A command that refuses has not taken the lock that the killed one left; whoever writes there next takes it over.
  const differing = code === 0 ? found : found.filter((difference) => !LEFT_LOCK.test(difference));
  if (differing.length === 0) return broken;
  const refused = code === 0 ? [] : [`exit code ${code} when run again: ${stderr.trim().split('\n')[0]}`];
  return [...broken, ...refused, ...firstFew(differing)];
}

/** At most three of many, and how many more. */
function firstFew(lines: readonly string[]): string[] {
  return lines.length <= 4 ? [...lines] : [...lines.slice(0, 3), `and ${lines.length - 3} more differences`];
}

/** Removes a folder in which nothing was lost; one to look at stays with --keep. */
export function clearFolder(folder: string, lost: boolean, { keep }: Setting): void {
  if (!lost || !keep) rmSync(folder, { recursive: true, force: true });
}
