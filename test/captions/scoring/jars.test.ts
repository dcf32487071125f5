import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pairCaptions } from '#captions/metrics';
import { meteorJar, spiceJar } from '#captions/scoring';
import { UserError } from '#src/errors';
import { temporaryFolder } from '../../support/temporaryFolder.js';

const pairs = pairCaptions(
  new Map([
    [9, 'a ||| dog  runs'],
    [4, ''],
  ]),
  new Map([
    [9, ['a dog runs', 'dogs']],
    [4, ['a cat']],
  ]),
  { pretokenized: true },
);

/** A program that is called as java would be, and an empty file for its jar. */
function fakeJava(body: string): { jar: string; java: string } {
  const folder = temporaryFolder();
  const [jar, java] = [join(folder, 'scorer.jar'), join(folder, 'java')];
  writeFileSync(jar, '');
  writeFileSync(java, `#!${process.execPath}\n${body}`);
  chmodSync(java, 0o755);
  return { jar, java };
}

/** Answers SCORE with its number of words, EVAL with the numbers and their sum. */
const METEOR = `
const [memory, flag, jar, ...args] = process.argv.slice(2);
if (memory !== '-Xmx2G' || flag !== '-jar' || args.join(' ') !== '- - -stdio -l en -norm') process.exit(3);
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, ...fields] = line.split(' ||| ');
  if (command === 'SCORE') console.log(fields.length + '.0 ' + fields.at(-1).split(' ').filter(Boolean).length);
  else {
    const values = fields.map((field) => Number(field.split(' ')[1]) / 10);
    for (const value of [...values, values.reduce((a, b) => a + b, 0)]) console.log(value);
  }
});`;

const SPICE = `
const fs = require('fs');
const [, , , input, , output, ...flags] = process.argv.slice(2);
if (flags.join(' ') !== '-subset -silent') process.exit(3);
const scores = JSON.parse(fs.readFileSync(input)).map(({ image_id, test, refs }) => (
  { image_id, scores: { All: { f: test === '' ? null : 1 / refs.length } } }));
fs.writeFileSync(output, JSON.stringify(scores.reverse()));`;

async function complaint(scores: Promise<unknown>): Promise<string> {
  const error = await scores.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
}

describe('meteorJar', () => {
  it('asks for the statistics of each image and scores them and their sum', async () => {
    // Ascending ids: 4 is empty, 9 has three words once the mark between fields is out of it.
    expect(await meteorJar(pairs, fakeJava(METEOR))).toEqual({ corpus: 0.3, perImage: [0, 0.3] });
  });

  it('says what is missing or went wrong in one line', async () => {
    const { jar } = fakeJava('');
    expect(await complaint(meteorJar(pairs, { jar, java: 'no-such-java' }))).toMatch(
      /METEOR: expected 'no-such-java' on the PATH, not found: install Java/,
    );
    expect(await complaint(meteorJar(pairs, { jar: `${jar}.not` }))).toMatch(
      /expected its jar at .*\.not, got no such file/,
    );
    expect(await complaint(meteorJar(pairs, fakeJava('console.error("\\nno class\\nat x"); process.exit(1)')))).toBe(
      'METEOR: java exited with exit code 1: no class',
    );
    expect(await complaint(meteorJar(pairs, fakeJava('')))).toMatch(
      /expected the statistics.*got the end of its output/,
    );
    const words = METEOR.replace('console.log(value)', 'console.log("Error: " + value)');
    expect(await complaint(meteorJar(pairs, fakeJava(words)))).toMatch(/expected the score of image 4, got 'Error: 0'/);
  });

  it('ends a jar that takes too long', async () => {
    const silent = { ...fakeJava('setInterval(() => undefined, 1000)'), timeoutSeconds: 1 };
    expect(await complaint(meteorJar(pairs, silent))).toMatch(/took longer than 1 s/);
  });
});

describe('spiceJar', () => {
  it('gives each image its own score, whatever their order, and leaves NaN out of the mean', async () => {
    const { corpus, perImage } = await spiceJar(pairs, fakeJava(SPICE));
    expect(corpus).toBe(0.5);
    expect(perImage).toEqual([Number.NaN, 0.5]);
  });

  it('says what is missing or went wrong in one line', async () => {
    expect(await complaint(spiceJar(pairs, fakeJava('')))).toMatch(/cannot read SPICE's scores .*no such file/);
    const some = SPICE.replace('scores.reverse()', 'scores.slice(1)');
    expect(await complaint(spiceJar(pairs, fakeJava(some)))).toBe('SPICE: expected a score of image 4, got none');
    const other = SPICE.replace('scores.reverse()', '[{"image_id": 4}]');
    expect(await complaint(spiceJar(pairs, fakeJava(other)))).toMatch(
      /^SPICE: \[0\].scores: expected an object with All, got nothing$/,
    );
  });
});
