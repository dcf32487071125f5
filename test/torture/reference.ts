import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandProcess } from './commandProcess.js';
import { prepareFolder, type TortureCommand } from './commands.js';
import { differences, type FolderContent, folderContent } from './folderContent.js';
import type { Setting } from './part.js';

/** What a command does when nothing happens to it. */
export interface Reference {
  /** Calls that change files; 0 where they cannot be counted. */
  readonly calls: number;
  readonly milliseconds: number;
  readonly content: FolderContent;
}

const known = new Map<string, Promise<Reference>>();

/** The unbroken run of a command, made once. */
export function referenceOf(command: TortureCommand, setting: Setting): Promise<Reference> {
  const reference = known.get(command.name) ?? unbrokenRun(command, setting);
  known.set(command.name, reference);
  return reference;
}

/** Runs the command twice in different folders, which must give the same content. */
async function unbrokenRun(command: TortureCommand, setting: Setting): Promise<Reference> {
  const library = 'library' in setting.faults ? setting.faults.library : undefined;
  const process = await CommandProcess.start(setting.scratch, library);
  try {
    const once = await countedRun(command, setting, process);
    const again = await countedRun(command, setting, process);
    const differing = differences(once.content, again.content);
    if (differing.length > 0) throw new Error(`two unbroken runs of ${command.name} differ: ${differing.join(', ')}`);
    return again;
  } finally {
    await process.end();
  }
}

async function countedRun(command: TortureCommand, setting: Setting, process: CommandProcess): Promise<Reference> {
  const folder = join(setting.scratch, `unbroken-${command.name.replaceAll(' ', '-')}`);
  prepareFolder(command, setting.workshop, folder);
  process.faults?.watch(folder);
  const started = performance.now();
  const { code, stderr } = await process.run(command.words, folder);
  const milliseconds = performance.now() - started;
  if (code !== 0) throw new Error(`${command.name} fails without any fault: ${stderr}`);
  const content = folderContent(folder);
  rmSync(folder, { recursive: true });
  return { calls: process.faults?.read().calls ?? 0, milliseconds, content };
}
