import type { Arguments, OptionSpec } from '#src/cli';
import { skipVerification } from '#src/training';

/** The option by which every command reads checkpoints without comparing them with their manifests. */
export const VERIFY_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'no-verify': { description: 'read checkpoints without comparing their files with manifest.json' },
};

let skipped = false;

/** Does what the option says, before a command starts. */
export function applyVerifyOption(args: Arguments): void {
  skipped = args.flag('no-verify');
  if (skipped) skipVerification();
}

/** The same for a process of its own. */
export function verifyWords(): string[] {
  return skipped ? ['--no-verify'] : [];
}
