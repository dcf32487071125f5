import type { CodeBlock } from './page.js';

/** What a command of the docs begins with, assignments left out. */
const PROGRAMS = 'apt-get bash c++ cd node npm npx perf python3 tokenfuse valgrind';
const COMMAND = new RegExp(`^(?:[A-Z_]+=\\S+ )*(?:${PROGRAMS.replaceAll('+', '\\+').replaceAll(' ', '|')}) `);

/** Whether a block is something to type into a terminal. */
export function isCommandBlock(text: string): boolean {
  return COMMAND.test(text);
}

/** A command of a page, without comments, its continued lines joined. */
export interface PageCommand {
  readonly command: string;
  readonly line: number;
}

/** The commands of a page's blocks: those that say that they are shell, and others that begin with a command. */
export function shellCommands(blocks: readonly CodeBlock[]): PageCommand[] {
  return blocks.flatMap(({ language, text, line }) => {
    if (!['sh', 'bash'].includes(language) && !(language === '' && isCommandBlock(text))) return [];
    const commands: PageCommand[] = [];
    let joined = '';
    let start = line;
    for (const [i, read] of text.trimEnd().split('\n').entries()) {
      if (joined === '') start = line + i;
      joined += withoutComment(`${joined}${read}`).slice(joined.length).trim();
      if (joined.endsWith('\\')) joined = joined.slice(0, -1);
      else if (isQuoteOpen(joined)) joined += ' ';
      else {
        commands.push({ command: joined, line: start });
        joined = '';
      }
    }
    return commands.filter(({ command }) => command !== '');
  });
}

/** What quotes hold, and what is around it. */
const QUOTED = /'[^']*'|"[^"]*"/g;

function isQuoteOpen(text: string): boolean {
  return /['"]/.test(text.replaceAll(QUOTED, ''));
}

/** `#` begins a comment outside of quotes, behind a space. */
function withoutComment(text: string): string {
  const blanked = text.replaceAll(QUOTED, (quoted) => 'x'.repeat(quoted.length));
  if (isQuoteOpen(text)) return text;
  return text.slice(0, /(^|\s+)#/.exec(blanked)?.index ?? text.length);
}
