import type { TortureCommand } from './commands.js';

/** Divides a number of attempts among commands by their shares; each gets one at least, unless that is too dear. */
export function sharesOf(commands: readonly TortureCommand[], attempts: number) {
  const total = commands.reduce((sum, { share }) => sum + share, 0);
  return commands
    .map((command) => {
      const count = Math.round((attempts * command.share) / total);
      return { command, count: command.severalProcesses ? count : Math.max(1, count) };
    })
    .filter(({ count }) => count > 0);
}
