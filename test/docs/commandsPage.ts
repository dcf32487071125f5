import { PROGRAM } from '#experiments';
import { COMMON_OPTIONS, type Command, type OptionSpec } from '#src/cli';

/** `docs/commands.md`: every command with its arguments, from what `--help` prints. */
export function commandsPage(): string {
  const { commands, options } = PROGRAM;
  return [
    '# Commands',
    '',
    'What `--help` prints, on one page; generated from the program by',
    '`TOKENFUSE_UPDATE_DOCS=1 npx vitest run test/docs/commandsPage.test.ts`.',
    '',
    ...table(
      ['command', 'does'],
      commands.map(({ name, summary }) => [`[\`${name}\`](#${anchor(name)})`, summary]),
    ),
    '',
    'Options of every command:',
    '',
    ...optionTable({ ...options, ...COMMON_OPTIONS }),
    ...commands.flatMap(commandSection),
  ].join('\n');
}

function anchor(name: string): string {
  return name.replaceAll(' ', '-');
}

function commandSection({ name, summary, details, positionals, options }: Command): string[] {
  const words = positionals.map(({ name: word, optional, rest }) => {
    const shown = rest ? `<${word}...>` : `<${word}>`;
    return optional ? `[${shown}]` : shown;
  });
  return [
    `## ${name}`,
    '',
    '```text',
    [PROGRAM.name, name, ...words, '[options]'].join(' '),
    '```',
    '',
    `${escaped(summary)}.`,
    '',
    ...(details === undefined ? [] : [...details.split('\n').map(escaped), '']),
    ...(positionals.length === 0
      ? []
      : [
          ...table(
            ['argument', 'meaning'],
            positionals.map((word) => [`\`${word.name}\``, word.description]),
          ),
          '',
        ]),
    ...optionTable(options),
  ];
}

function optionTable(options: Readonly<Record<string, OptionSpec>>): string[] {
  const rows = Object.entries(options).map(([name, { placeholder, description, multiple }]) => [
    `\`--${name}${placeholder === undefined ? '' : ` <${placeholder}>`}\``,
    multiple && !/repeatable|again/.test(description) ? `${description}; repeatable` : description,
  ]);
  return rows.length === 0 ? [] : [...table(['option', 'meaning'], rows), ''];
}

function table(headers: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => (cell.startsWith('`') || cell.startsWith('[') ? cell.replaceAll('|', '\\|') : escaped(cell))).join(' | ')} |`;
  return [line(headers), line(headers.map(() => '---')), ...rows.map(line)];
}

/** Text of `--help` as markdown that reads the same. */
function escaped(text: string): string {
  return text.replaceAll(/[<>|*_]/g, (mark) => `\\${mark}`);
}
