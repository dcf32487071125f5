import { basename, delimiter, dirname, relative } from 'node:path';
import { shellWord } from '#src/cli';

/** How the running program was started. */
export interface ProgramStart {
  /** `process.argv[1]` */
  readonly script: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** The words that start this program again from the same folder and shell: `tokenfuse`, `npx tokenfuse`, `node dist/…`. */
export function programCommand({ script, env, cwd }: ProgramStart): string {
  const name = basename(script);
  // npm and npx put the folder of the package's programs into PATH for their children alone.
  const fromNpm = env.npm_command !== undefined;
  if (name === 'tokenfuse' && !fromNpm && (env.PATH ?? '').split(delimiter).includes(dirname(script))) return name;
  if (fromNpm || /[\\/]node_modules[\\/]/.test(script)) return 'npx tokenfuse';
  const path = relative(cwd, script);
  return `node ${shellWord(path.startsWith('..') ? script : path)}`;
}
