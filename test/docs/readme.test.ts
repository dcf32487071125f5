import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { markdownFiles } from '#docs-site';
import { PROGRAM } from '#experiments';

const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(resolve(root, 'README.md'), 'utf8');
const scripts: Record<string, string> = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')).scripts;

/** Every command that a text names, with the rest of its line. */
function namedCommands(text: string): { command: string; rest: string }[] {
  const names = PROGRAM.commands.map(({ name }) => name).sort((a, b) => b.length - a.length);
  return [...text.matchAll(/(?:^|[`\s])tokenfuse ([a-z].*)/gm)].map(([, line]) => {
    const command = names.find((name) => new RegExp(`^${name}(?![a-z])`).test(line)) ?? line.split(/[\s`]/)[0];
    return { command, rest: line.slice(command.length).split('`')[0] };
  });
}

describe('the README', () => {
  it('gives command one and command two, which exist', () => {
    expect(readme).toContain('npm ci && npm run quickstart');
    expect(readme).toContain('npm ci && npm test');
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['quickstart', 'test']));
    expect(readme.indexOf('npm run quickstart')).toBeLessThan(readme.indexOf('npm test'));
  });

  it('names commands that exist, and each one that does', () => {
    const named = new Set(namedCommands(readme).map(({ command }) => command));
    expect([...named].sort()).toEqual(PROGRAM.commands.map(({ name }) => name).sort());
  });

  it('gives commands options that they take', () => {
    for (const { command, rest } of namedCommands(readme)) {
      const known = Object.keys(PROGRAM.commands.find(({ name }) => name === command)?.options ?? {});
      for (const [, option] of rest.matchAll(/--([a-z-]+)/g)) expect(known, `${command} --${option}`).toContain(option);
    }
  });
});

/** The reference of keys names parts of data sets, the one of the API nothing, and the bench's what it downloads. */
const GENERATED = /^(docs\/(api\/|configuration\.md)|bench\/)/;

describe.each(markdownFiles(root).filter((path) => !GENERATED.test(path)))('%s', (file) => {
  const text = readFileSync(resolve(root, file), 'utf8');

  it('names files of this project that exist', () => {
    const paths = [
      ...text.matchAll(
        /(?<![\w/])(?:api|bench|captions|docs|evaluation|experiments|fusion|language|packages|scenes|src|test|vision)\/[\w./-]*\w/g,
      ),
    ];
    const folders = [...text.matchAll(/\b(?:CONTRIBUTING|CHANGELOG|README)\.md\b/g)];
    const missing = [...paths, ...folders]
      .map(([path]) => path)
      .filter((path) => !existsSync(resolve(root, path)) && !existsSync(resolve(root, dirname(file), path)));
    expect(missing).toEqual([]);
  });
});
