import { describe, expect, it } from 'vitest';
import { PROGRAM } from '#experiments';
import { runCli } from '#src/cli';
import { recordedStreams } from '../support/streams.js';

async function config(...words: string[]) {
  const streams = recordedStreams();
  const code = await runCli(PROGRAM, ['config', ...words], streams);
  return { code, ...streams.text };
}

const KINDS = [
  'scenes',
  'tokenizer',
  'vision',
  'language',
  'tune',
  'merge',
  'align',
  'evaluate',
  'pipeline',
  'study',
  'sweep',
];

describe('tokenfuse config', () => {
  it('without a kind lists the kinds', async () => {
    const { code, stdout } = await config();
    expect(code).toBe(0);
    expect([...stdout.matchAll(/^\w+/gm)].map(([kind]) => kind)).toEqual(KINDS);
  });

  it.each(KINDS)('%s fits 80 columns', async (kind) => {
    const { code, stdout } = await config(kind);
    expect(code).toBe(0);
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('shows a key with its type, its default and its meaning, inside its group', async () => {
    const { stdout } = await config('language');
    expect(stdout).toContain(
      [
        '  embeddingStd            number above 0, default 0.02',
        '                          standard deviation of the token embedding at the',
        '                          start; 0.02 in the official code',
      ].join('\n'),
    );
  });

  it('gives the same as data', async () => {
    const { stdout } = await config('vision', '--json');
    const { kind, keys } = JSON.parse(stdout) as { kind: string; keys: { name: string; variants: unknown[] }[] };
    expect(kind).toBe('vision');
    expect(keys.find(({ name }) => name === 'objectives')?.variants).toHaveLength(5);
  });

  it('suggests the kind that was meant', async () => {
    expect(await config('visoin')).toEqual({
      code: 2,
      stdout: '',
      stderr: `tokenfuse: config: expected a kind of experiment file, got 'visoin' (did you mean 'vision'?); kinds: ${KINDS.join(', ')}\n`,
    });
  });
});
