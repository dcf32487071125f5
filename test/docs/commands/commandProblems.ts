import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM, parseExperiment } from '#experiments';
import { type Program, runCli, type Streams } from '#src/cli';
import { splitWords } from './splitWords.js';

/** The program with commands that only parse what they are given: words, and experiment files of the repository with `--set`. */
function grammar(root: string): Program {
  return {
    name: PROGRAM.name,
    version: PROGRAM.version,
    summary: PROGRAM.summary,
    commands: PROGRAM.commands.map((command) => ({
      ...command,
      run: async (args) => {
        const file = join(root, args.positionals[0] ?? '');
        // Keys of pipelines and studies are those of other files.
        const isOneFile = !['run', 'study'].includes(command.name);
        if (file.endsWith('.yaml') && existsSync(file)) parseExperiment(file, isOneFile ? args.texts('set') : []);
        return {};
      },
    })),
    options: PROGRAM.options!,
  };
}

/** Programs of others: what they are given is theirs to check. */
const OTHERS = ['apt-get', 'c++', 'cd', 'http-server', 'mkdir', 'perf', 'python3', 'tf/bin/pip', 'valgrind'];

/** What is wrong with a command of the docs without running it: unknown commands, options, keys, scripts, files. */
export async function commandProblems(root: string, command: string): Promise<string[]> {
  // A variable, set to what another program prints.
  if (/^[A-Z_]+=\$\(/.test(command)) return [];
  const words = splitWords(command.replace(/^([A-Z_]+=\S+ )+/, ''));
  return [...(await usageProblems(root, words)), ...missingFiles(root, words)];
}

async function usageProblems(root: string, words: readonly string[]): Promise<string[]> {
  const [program, ...rest] = words[0] === 'npx' ? words.slice(1) : words;
  if (program === undefined || OTHERS.includes(program)) return [];
  if (program === 'tokenfuse') return grammarProblems(root, rest);
  if (program === 'npm') return npmProblems(root, rest);
  if (program === 'vitest') return [];
  if (program === 'bash') return existsSync(join(root, rest[0])) ? [] : [`no script ${rest[0]}`];
  if (program === 'node') {
    const script = rest.find((word) => !word.startsWith('-'))!;
    const source = script.replace(/^dist\//, '').replace(/\.js$/, '.ts');
    return existsSync(join(root, script)) || existsSync(join(root, source)) ? [] : [`no script ${script}`];
  }
  return [`no program that the docs use: ${program}`];
}

/** What the command line says against these words. */
async function grammarProblems(root: string, words: readonly string[]): Promise<string[]> {
  let said = '';
  const streams: Streams = {
    stdout: { write: () => true },
    stderr: { write: (text) => (said += text) },
  };
  const code = await runCli(grammar(root), words, streams);
  return code === 0 ? [] : said.trim().split('\n');
}

function npmProblems(root: string, [verb, script]: readonly string[]): string[] {
  if (['ci', 'test', 'install', 'pack'].includes(verb)) return [];
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  return verb === 'run' && script !== undefined && Object.hasOwn(scripts, script)
    ? []
    : [`no script npm ${verb} ${script}`];
}

/** Words that begin with a folder of the repository must be there; results (`runs`, `data`, `dist`) need not. */
function missingFiles(root: string, words: readonly string[]): string[] {
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(\.|node_modules$|runs$|data$|dist)/.test(entry.name))
    .map(({ name }) => name);
  return words
    .filter((word) => /^[\w./-]+$/.test(word) && folders.includes(word.split('/')[0]) && word.includes('/'))
    .filter((word) => !existsSync(join(root, word)))
    .map((word) => `no file ${word}`);
}
