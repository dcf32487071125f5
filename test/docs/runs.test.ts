import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { schemaText } from '#comparison';
import { replaceSection } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { tokenfuse } from '../support/tokenfuse.js';
import { writeEvaluationOf, writeRun } from '../support/writtenRun.js';

const path = resolve(import.meta.dirname, '../../docs/runs.md');
const page = (): string => readFileSync(path, 'utf8');

/** The words of each command of the page: an indented line and those that go on in its quotes. */
function commands(): string[][] {
  const blocks = page().match(/(?:^ {4}.*\n)+/gm) ?? [];
  return blocks
    .flatMap((block) => block.split(/\n(?= {4}tokenfuse)/))
    .map((command) => [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c));
}

function prepared(): string {
  const folder = temporaryFolder();
  const runs = join(folder, 'runs');
  writeRun(join(runs, 'quickstart/align'), { kind: 'align' });
  writeRun(join(runs, 'quickstart/align-all'), { kind: 'align', seed: 2 });
  for (const name of ['first', 'second']) {
    writeRun(join(runs, name, 'language'), { training: { learningRate: name === 'first' ? 0.1 : 0.2 } });
    writeEvaluationOf(join(runs, name, 'scores'), ['a dog', 'a cat'], ['a dog', 'a cat']);
  }
  return folder;
}

describe('docs/runs.md', () => {
  it('has the tables as --schema prints them (TOKENFUSE_UPDATE_DOCS=1 writes them)', () => {
    const section = `\`\`\`text\n${schemaText()}\n\`\`\`\n`;
    if (process.env.TOKENFUSE_UPDATE_DOCS === '1') replaceSection(path, 'schema', section);
    expect(page()).toContain(section);
  });

  it('has examples that run', async () => {
    const folder = prepared();
    const examples = commands();
    expect(examples.length).toBeGreaterThan(7);
    for (const [program, ...words] of examples) {
      expect(program).toBe('tokenfuse');
      // A server, which runs until a signal: test/comparison/watch.test.ts.
      if (words[1] === 'watch') continue;
      const { code, stdout, stderr } = await tokenfuse(words, folder);
      expect(code, `${words.join(' ')}: ${stderr}`).toBe(0);
      expect(stdout, words.join(' ')).not.toMatch(/^no (rows|runs)$/m);
    }
  });
});
