import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROGRAM } from '#experiments';
import { runCli } from '#src/cli';
import { recordedStreams } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const CAPTIONS = ['A grey dog runs in the snow.', 'two cats sit on a mat', "a man's bicycle (red) leans on a wall"];

/** References of three images and predictions beside them; returns the folder. */
function writeSet(predictions: readonly { image_id: number; caption: string }[] = perfect): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'images'));
  const images = CAPTIONS.map((_, i) => ({ id: i + 1, file_name: `${i}.png` }));
  const annotations = CAPTIONS.map((caption, i) => ({ id: i, image_id: i + 1, caption }));
  writeFileSync(join(folder, 'references.json'), JSON.stringify({ images, annotations }));
  writeFileSync(join(folder, 'predictions.json'), JSON.stringify(predictions));
  return folder;
}

const perfect = CAPTIONS.map((caption, i) => ({ image_id: i + 1, caption: caption.replace('snow.', 'Snow!') }));

async function score(folder: string, ...words: string[]) {
  const streams = recordedStreams();
  const files = ['score', join(folder, 'predictions.json'), '--references', join(folder, 'references.json')];
  const code = await runCli(PROGRAM, [...files, ...words], streams);
  return { code, ...streams.text };
}

describe('tokenfuse score', () => {
  it('prints scores with intervals in 80 columns, and what was not computed', async () => {
    const { code, stdout, stderr } = await score(writeSet(), '--samples', '50');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/CIDEr-D +10\.0000 +10\.0000 to 10\.0000/);
    expect(stdout).toMatch(/METEOR 1\.5 +not computed \(--meteor-jar\)/);
    expect(stdout).toContain('3 images, 3 references');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('gives one JSON object, the same for the same seed', async () => {
    const folder = writeSet([perfect[0], { image_id: 2, caption: 'a dog' }, perfect[2]]);
    const [first, again] = [await score(folder, '--json', '--seed', '3'), await score(folder, '--json', '--seed', '3')];
    const result = JSON.parse(first.stdout);
    expect({ ...result, process: 0 }).toEqual({ ...JSON.parse(again.stdout), process: 0 });
    expect(result.scores.meteor).toBeNull();
    expect(result.scores.ciderD.low).toBeLessThan(result.scores.ciderD.score);
    expect(result.diagnostics).toMatchObject({ numImages: 3, numDuplicates: 0 });
    expect(result.diagnostics.warnings).toEqual([expect.stringMatching(/fewer than 4 words/)]);
  });

  it('writes the scores of every image as CSV or JSON', async () => {
    const folder = writeSet();
    const [csv, json] = [join(folder, 'images.csv'), join(folder, 'images.json')];
    await score(folder, '--per-image', csv);
    await score(folder, '--per-image', json);
    const rows = JSON.parse(readFileSync(json, 'utf8'));
    expect(rows).toHaveLength(3);
    expect(rows[1]).toMatchObject({ imageId: 2, caption: CAPTIONS[1], rougeL: 1 });
    const lines = readFileSync(csv, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toBe(Object.keys(rows[0]).join(','));
    expect(lines[1]).toMatch(/^1,A grey dog runs in the Snow!,/);
  });

  it('scores by the document frequencies of a file', async () => {
    const folder = writeSet();
    const idf = join(folder, 'idf.json');
    const whole = JSON.parse((await score(folder, '--json', '--write-idf', idf)).stdout);
    const one = writeSet([perfect[0]]);
    const alone = await score(one, '--json', '--subset');
    expect(JSON.parse(alone.stdout).scores.ciderD.score).toBe(0);
    const weighed = JSON.parse((await score(one, '--json', '--subset', '--idf', idf)).stdout);
    expect(weighed.scores.ciderD.score).toBeCloseTo(10, 9);
    expect(weighed.idf).toBe(idf);
    expect(whole.idf).toBe('references');
    expect((await score(one, '--subset', '--pretokenized', '--idf', idf)).stderr).toMatch(/expected n-grams of pretok/);
  });

  it('takes captions as they are under --pretokenized, and tells novel ones from those of training', async () => {
    const folder = writeSet();
    const raw = JSON.parse((await score(folder, '--json', '--pretokenized')).stdout);
    expect(raw.scores.bleu1.score).toBeLessThan(1 - 1e-3);
    const train = join(folder, 'references.json');
    const { diagnostics } = JSON.parse((await score(folder, '--json', '--train', train)).stdout);
    expect(diagnostics.novelShare).toBe(0);
  });

  it.each([
    ['a bad sample count', ['--samples', '0'], 2, /--samples: expected a whole number from 1, got '0'/],
    ['a bad file name', ['--per-image', 'x.txt'], 2, /--per-image: expected a file name ending in \.csv or \.json/],
    ['a missing idf file', ['--idf', 'none.json'], 2, /cannot read document frequencies none\.json: no such file/],
    ['a missing jar', ['--meteor-jar', 'none.jar'], 2, /METEOR: expected its jar at .*none\.jar, got no such file/],
  ] as const)('refuses %s in one line', async (_what, words, exitCode, message) => {
    const { code, stderr } = await score(writeSet(), ...words);
    expect(stderr).toMatch(/^tokenfuse: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(code).toBe(exitCode);
  });

  it('asks for the references', async () => {
    const streams = recordedStreams();
    expect(await runCli(PROGRAM, ['score', join(writeSet(), 'predictions.json')], streams)).toBe(2);
    expect(streams.text.stderr).toMatch(/^tokenfuse: score: expected --references <captions>, [^\n]+; got none\n$/);
  });

  it('names the wrong split on either side', async () => {
    const other = await score(writeSet([...perfect, { image_id: 77, caption: 'x' }]));
    expect(other.stderr).toMatch(/1 predictions are of images it has no captions of \(77\): the wrong split\?/);
    const fewer = await score(writeSet(perfect.slice(1)));
    expect(fewer.stderr).toMatch(/1 images have no prediction: the wrong split\? --subset scores/);
    expect(fewer.code).toBe(2);
    expect((await score(writeSet(perfect.slice(1)), '--subset')).code).toBe(0);
  });
});
