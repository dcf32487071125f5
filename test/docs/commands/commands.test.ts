import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { markdownFiles, parsePage } from '#docs-site';
import { PROGRAM } from '#experiments';
import { COMMON_OPTIONS } from '#src/cli';
import { commandProblems } from './commandProblems.js';
import { documentedCommands } from './documentedCommands.js';
import { splitWords } from './splitWords.js';

const root = resolve(import.meta.dirname, '../../..');
const commands = documentedCommands(root);

describe('the commands in blocks of the docs', () => {
  it('are found, on many pages', () => {
    expect(commands.length).toBeGreaterThan(60);
    expect(new Set(commands.map(({ path }) => path)).size).toBeGreaterThan(12);
  });

  it('are what the command line, package.json and the files of the repository know', async () => {
    const problems: string[] = [];
    for (const { place, command } of commands)
      for (const problem of await commandProblems(root, command)) problems.push(`${place}: ${command}: ${problem}`);
    expect(problems).toEqual([]);
  });
});

it('the commands in the headers of experiment files are known too', async () => {
  const files = readdirSync(join(root, 'experiments'), { recursive: true })
    .map((name) => `experiments/${String(name).replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.yaml'));
  const headers = files.flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(/^# Command: +(tokenfuse .+?)(?: {2,}.*| runs it.*)?$/gm)].map(
      ([, command]) => ({ path, command }),
    ),
  );
  expect(headers.length).toBeGreaterThan(30);
  const problems: string[] = [];
  for (const { path, command } of headers)
    for (const problem of await commandProblems(root, command)) problems.push(`${path}: ${command}: ${problem}`);
  expect(problems).toEqual([]);
});

it.each([
  ['tokenfuse trane x.yaml', /expected a command, got 'trane/],
  ['npx tokenfuse train x.yaml --engin cpu', /unknown option '--engin'/],
  ['tokenfuse grow runs/a', /expected <out>|expected </],
  ['tokenfuse train experiments/quickstart/visoin.yaml', /no file experiments\/quickstart\/visoin.yaml/],
  ['tokenfuse train experiments/quickstart/vision.yaml --set training.stepz=3', /training\.stepz/],
  ['A=1 npm run nothing', /no script npm run nothing/],
  ['node dist/bench/nothing.js', /no script dist\/bench\/nothing.js/],
])('%s is reported', async (command, problem) => {
  expect(await commandProblems(root, command)).toEqual([expect.stringMatching(problem)]);
});

describe('commands in running text', () => {
  const names = PROGRAM.commands.map(({ name }) => name).sort((a, b) => b.length - a.length);
  const scripts = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts);
  const pages = markdownFiles(root).map((path) => {
    const { inlineCode } = parsePage(readFileSync(join(root, path), 'utf8'));
    return { path, inlineCode };
  });

  it('exist and have the options that they are given', () => {
    const problems = pages.flatMap(({ path, inlineCode }) =>
      inlineCode.flatMap((code) => {
        const words = splitWords(code.replace(/^npx /, ''));
        // `tokenfuse/metrics` is an entry of the package, `tokenfuse` alone its name.
        if (words[0] !== 'tokenfuse' || words.length === 1 || words[1].startsWith('-')) return [];
        const given = words.slice(1).join(' ');
        const name = names.find((known) => given === known || given.startsWith(`${known} `));
        if (name === undefined) {
          // `tokenfuse data` stands for its commands.
          return names.some((known) => known.startsWith(`${given} `)) ? [] : [`${path}: ${code}: no such command`];
        }
        const options = {
          ...PROGRAM.commands.find((command) => command.name === name)!.options,
          ...PROGRAM.options,
          ...COMMON_OPTIONS,
        };
        return words
          .filter((word) => word.startsWith('--'))
          .map((word) => word.slice(2).split('=')[0])
          .filter((option) => !Object.hasOwn(options, option))
          .map((option) => `${path}: ${code}: no option --${option}`);
      }),
    );
    expect(problems).toEqual([]);
  });

  it('of npm are scripts', () => {
    const named = pages.flatMap(({ path, inlineCode }) =>
      inlineCode.flatMap((code) => [...code.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, script]) => ({ path, script }))),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(({ script }) => !scripts.includes(script))).toEqual([]);
  });
});
