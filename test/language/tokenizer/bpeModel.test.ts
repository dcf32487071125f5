import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '#src/errors';
import { loadTokenizer, readBpeModel, trainBpe, writeBpeModel } from '../../../language/tokenizer/index.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface File {
  [field: string]: unknown;
  ranks: string[];
  specialTokens: Record<string, number>;
  vocabSize: number;
}
const model = trainBpe({ texts: ['banana bandana banana'], vocabSize: 261 });

/** Writes a good file, spoils it, and returns the one line that loading it ends with. */
function complaint(spoil: (file: File) => void): string {
  const path = join(folder, 'spoilt.json');
  writeBpeModel(path, model);
  const { sha256: _, ...file } = JSON.parse(readFileSync(path, 'utf8')) as File;
  spoil(file as File);
  writeFileSync(path, JSON.stringify(file));
  try {
    loadTokenizer({ kind: 'bpe', path: 'spoilt.json' }, { baseDir: folder });
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    const { message } = error as UserError;
    expect(message.split('\n')).toHaveLength(1);
    expect(message).toContain(path);
    return message;
  }
  throw new Error('the file was accepted');
}

describe('tokenizer.json', () => {
  it('reads back as it was written, to the byte', () => {
    const [first, second] = [join(folder, 'a.json'), join(folder, 'b.json')];
    writeBpeModel(first, model);
    const again = readBpeModel(first);
    expect(again.tokens.map((bytes) => [...bytes])).toEqual(model.tokens.map((bytes) => [...bytes]));
    writeBpeModel(second, again);
    expect(readFileSync(second)).toEqual(readFileSync(first));
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it.each<[string, (file: File) => void, RegExp]>([
    [
      'a duplicate rank',
      (file) => (file.ranks[258] = `${file.ranks[258].split(' ')[0]} 257`),
      /rank 257 is given twice/,
    ],
    ['a duplicate token', (file) => (file.ranks[258] = `${file.ranks[257].split(' ')[0]} 258`), /already has rank 257/],
    ['a gap', (file) => (file.ranks[258] = `${file.ranks[258].split(' ')[0]} 900`), /rank 900 leaves a gap/],
    ['bad base64', (file) => (file.ranks[258] = '!!!! 258'), /'!!!!' is not base64/],
    ['base64 that is not canonical', (file) => (file.ranks[0] = 'AB== 0'), /'AB==' is not base64/],
    ['no rank at all', (file) => (file.ranks[3] = 'Aw=='), /ranks\[3\]: expected 'base64 rank'/],
    ['a missing byte', (file) => (file.ranks[7] = 'enp6eg== 7'), /no token for the byte 7/],
    [
      'a special token inside the ranks',
      (file) => (file.specialTokens['<|endoftext|>'] = 5),
      /expected <\|endoftext\|> at 260/,
    ],
    ['a wrong vocabSize', (file) => (file.vocabSize = 1000), /vocabSize: expected 261/],
    ['another pattern', (file) => (file.pattern = '('), /pattern/],
    ['another version', (file) => (file.formatVersion = 9), /formatVersion/],
    ['an unknown field', (file) => (file.extra = 1), /extra/],
  ])('refuses %s in one line', (_, spoil, expected) => {
    expect(complaint(spoil)).toMatch(expected);
  });

  it('says which file is missing or is not JSON', () => {
    expect(() => readBpeModel(join(folder, 'none.json'))).toThrow(/cannot read tokenizer .*none\.json: no such file/);
    writeFileSync(join(folder, 'text.json'), 'hello');
    expect(() => readBpeModel(join(folder, 'text.json'))).toThrow(/text\.json: not valid JSON/);
  });

  it('is refused when a single bit of it has changed, and read without the seal that former versions lack', () => {
    const path = join(folder, 'sealed.json');
    writeBpeModel(path, model);
    const bytes = readFileSync(path);
    for (let bit = 0; bit < 8 * bytes.length; bit += 61) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(path, damaged);
      expect(() => readBpeModel(path), `bit ${bit}`).toThrow(UserError);
      expect(() => readBpeModel(path), `bit ${bit}`).toThrow(path);
    }
    const { sha256, ...former } = JSON.parse(bytes.toString('utf8')) as File;
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    writeFileSync(path, JSON.stringify(former));
    expect(readBpeModel(path).tokens).toHaveLength(model.tokens.length);
  });

  it.each<[string, object]>([
    ['a Hugging Face tokenizer (BPE)', { version: '1.0', added_tokens: [], model: { type: 'BPE', vocab: {} } }],
    ['the configuration of a Hugging Face tokenizer', { tokenizer_class: 'GPT2Tokenizer' }],
    ['a Hugging Face vocabulary', { '!': 0, '"': 1 }],
  ])('calls %s by its name', (name, content) => {
    const path = join(folder, 'other.json');
    writeFileSync(path, JSON.stringify(content));
    expect(() => readBpeModel(path)).toThrow(
      `${path}: ${name}; tokenfuse reads those that 'tokenfuse tokenizer train' wrote`,
    );
  });
});
