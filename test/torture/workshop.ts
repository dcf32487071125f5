import { CommandProcess } from './commandProcess.js';
import { type TortureCommand, writeExperiments } from './commands.js';
import type { Setting } from './part.js';

/** Makes what commands need from one another, by running those that others need once. */
export async function makeWorkshop(commands: readonly TortureCommand[], { workshop, scratch }: Setting): Promise<void> {
  writeExperiments(workshop);
  const process = await CommandProcess.start(scratch, undefined);
  for (const { name, words, severalProcesses } of commands) {
    if (severalProcesses) continue;
    const { code, stderr } = await process.run(words, workshop);
    if (code !== 0) throw new Error(`${name} fails without any fault: ${stderr}`);
  }
  await process.end();
}
