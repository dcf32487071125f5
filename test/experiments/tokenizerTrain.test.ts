import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Arguments } from '#src/cli';
import { ConfigError } from '#src/errors';
import { tokenizerTrainCommand } from '../../experiments/commands/tokenizerTrain.js';
import { loadTokenizer } from '../../language/tokenizer/index.js';
import { writeExperiment } from '../support/tokenfuse.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(positionals: string[], options: Record<string, string>) {
  const lines: string[] = [];
  const args: Arguments = {
    positionals,
    text: (name) => options[name],
    texts: (name) => options[name]?.split(' ') ?? [],
    commandLine: 'tokenfuse',
    flag: () => false,
  };
  const result = tokenizerTrainCommand.run(args, { line: (text = '') => lines.push(text), interactive: false });
  return result.then((json) => ({ json, lines }));
}

describe('tokenfuse tokenizer train', () => {
  it('writes a tokenizer that loads, and reports what it measured', async () => {
    const corpus = 'the cat and the dog and the bird\n'.repeat(20);
    const [source, out] = [join(folder, 'corpus.txt'), join(folder, 'tokenizer.json')];
    writeFileSync(source, corpus);
    const { json, lines } = await run([source], { 'vocab-size': '270', out });
    const tokenizer = loadTokenizer({ kind: 'bpe', path: out }, { baseDir: folder });
    expect(json).toMatchObject({ out, vocabSize: tokenizer.vocabSize, fingerprint: tokenizer.fingerprint });
    expect(json.tokens).toBe(tokenizer.encode(corpus).length);
    expect(json.bytesPerToken).toBeCloseTo(corpus.length / tokenizer.encode(corpus).length, 12);
    expect(lines.join('\n')).toMatch(/vocab size +270\n[\s\S]*bytes per token/);
    const bytes = readFileSync(out);
    await expect(run([source], { 'vocab-size': '270', out })).rejects.toThrow(
      /expected a new or empty place, got a file/,
    );
    const again = join(folder, 'again.json');
    await run([source], { 'vocab-size': '270', out: again });
    expect(readFileSync(again)).toEqual(bytes);
  });

  it('trains on the text of JSONL lines, not on their JSON', async () => {
    const source = join(folder, 'lines.jsonl');
    writeFileSync(source, '{"body":"zebra"}\n\n{"body":"zebra"}\n');
    const { json } = await run([source], { 'vocab-size': '300', out: join(folder, 'jsonl.json'), field: 'body' });
    expect(json).toMatchObject({ bytes: 10, tokens: 2, vocabSize: 261, requestedVocabSize: 300 });
  });

  it('trains by an experiment file, as by the same options', async () => {
    writeFileSync(join(folder, 'words.txt'), 'one two three two one\n'.repeat(9));
    const path = writeExperiment(folder, { kind: 'tokenizer', name: 'words', files: ['words.txt'], vocabSize: 300 });
    const byFile = await run([path], { root: folder, set: 'vocabSize=262 minFrequency=3' });
    expect(byFile.json).toMatchObject({ out: join(folder, 'words', 'tokenizer.json'), requestedVocabSize: 262 });
    const out = join(folder, 'same.json');
    await run([join(folder, 'words.txt')], { 'vocab-size': '262', 'min-frequency': '3', out });
    expect(readFileSync(join(folder, 'words', 'tokenizer.json'))).toEqual(readFileSync(out));
  });

  it('refuses options of text files beside an experiment file, and the other way round', async () => {
    const path = writeExperiment(folder, { kind: 'tokenizer', name: 'words', files: ['words.txt'], vocabSize: 300 });
    await expect(run([path], { root: folder, 'vocab-size': '280' })).rejects.toThrow(
      /change the key: --set vocabSize=/,
    );
    await expect(run([path, 'words.txt'], {})).rejects.toThrow(/expected one experiment file alone/);
    const options = { 'vocab-size': '280', out: join(folder, 'x.json'), root: folder };
    await expect(run([join(folder, 'words.txt')], options)).rejects.toThrow(/--root: expected an experiment file/);
  });

  it('names every problem of the command line at once', async () => {
    const attempt = run([], { 'vocab-size': '2k' });
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow(/files: expected[\s\S]*--vocab-size: expected[\s\S]*--out: expected/);
  });

  it('leaves nothing behind when a file is missing or not text', async () => {
    const out = join(folder, 'never.json');
    await expect(run([join(folder, 'none.txt')], { 'vocab-size': '300', out })).rejects.toThrow(
      /none\.txt: no such file/,
    );
    writeFileSync(join(folder, 'binary.txt'), Buffer.from([0xff, 0xfe, 0x00]));
    await expect(run([join(folder, 'binary.txt')], { 'vocab-size': '300', out })).rejects.toThrow(/expected UTF-8/);
    expect(existsSync(out)).toBe(false);
  });
});
