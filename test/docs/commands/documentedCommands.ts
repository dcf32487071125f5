import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { markdownFiles, parsePage, shellCommands } from '#docs-site';

/** A command of the docs, as far as a shell would run it alone. */
export interface DocumentedCommand {
  /** `docs/growth.md:45` */
  readonly place: string;
  readonly path: string;
  readonly command: string;
}

/** The commands in the blocks of all markdown files, in order; those joined by `&&` are separate. */
export function documentedCommands(root: string): DocumentedCommand[] {
  return markdownFiles(root).flatMap((path) =>
    shellCommands(parsePage(readFileSync(join(root, path), 'utf8')).blocks).flatMap(({ command, line }) =>
      command.split(' && ').map((part) => ({ place: `${path}:${line}`, path, command: part.trim() })),
    ),
  );
}
