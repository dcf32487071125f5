import { describe, expect, it } from 'vitest';
import { PROGRAM } from '#experiments';

describe.each(PROGRAM.commands.map((command) => [command.name, command] as const))('the help of %s', (_, command) => {
  it('has a summary with a capital and without a full stop', () => {
    expect(command.summary).toMatch(/^[A-Z].*[^.]$/);
  });

  it('has details in whole sentences', () => {
    expect(command.details ?? 'None.').toMatch(/^\S.*\.$/s);
  });

  it('describes options and arguments in lower case, without a full stop', () => {
    const described = [...command.positionals, ...Object.values(command.options)].map(({ description }) => description);
    // A name or an abbreviation may come first.
    expect(described.filter((text) => /^[A-Z][a-z]/.test(text) || text.endsWith('.'))).toEqual([]);
  });

  it('names values in lower case', () => {
    const placeholders = Object.values(command.options).map(({ placeholder }) => placeholder ?? '');
    expect(placeholders.filter((text) => /^[A-Z]+$/.test(text))).toEqual([]);
  });
});
