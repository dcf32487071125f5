import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeCaptionsJson } from '../support/tinyCaptions.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';

const TRUTH = ['a red square', 'the blue circle sits here', 'two small dogs', 'a green ring on the ground'];

/** References, and two predictions files of which the first is right. */
function prepared(): string {
  const folder = temporaryFolder();
  const images = TRUTH.map((_, id) => ({ id, file_name: `${id}.png` }));
  writeCaptionsJson(
    folder,
    images,
    TRUTH.map((caption, id) => ({ image_id: id, caption })),
  );
  const write = (name: string, captions: readonly string[]): void =>
    writeFileSync(join(folder, name), JSON.stringify(captions.map((caption, id) => ({ image_id: id, caption }))));
  write('a.json', TRUTH);
  write('b.json', [...TRUTH.slice(1), TRUTH[0]]);
  write('fewer.json', TRUTH.slice(1));
  return folder;
}

describe('tokenfuse compare', () => {
  it('prints a table of at most 80 columns', async () => {
    const { code, stdout, stderr } = await tokenfuse(
      ['compare', 'a.json', 'b.json', '--references', 'captions.json'],
      prepared(),
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^CIDEr-D .*4\/0\/0$/m);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('gives every figure under --json', async () => {
    const words = ['compare', 'a.json', 'b.json', '--references', 'captions.json', '--samples', '50', '--json'];
    const { stdout } = await tokenfuse(words, prepared());
    const { numImages, scores, resampling } = JSON.parse(stdout);
    expect(numImages).toBe(4);
    expect(resampling).toEqual({ seed: 0, samples: 50 });
    expect(scores.ciderD).toMatchObject({ wins: 4, ties: 0, losses: 0 });
    expect(Object.keys(scores.ciderD).sort()).toEqual(
      ['a', 'b', 'difference', 'high', 'losses', 'low', 'p', 'ties', 'wins'].sort(),
    );
  });

  it('refuses other images, no references and no samples in one line each', async () => {
    const folder = prepared();
    const references = ['--references', 'captions.json'];
    expect(await refusal(['compare', 'a.json', 'fewer.json', ...references], folder, 2)).toContain(
      'to caption the same images, got 1 only in the first (3)',
    );
    expect(await refusal(['compare', 'a.json', 'b.json'], folder, 2)).toContain('expected --references');
    expect(await refusal(['compare', 'a.json', 'b.json', ...references, '--samples', '0'], folder, 2)).toContain(
      '--samples: expected a whole number from 1',
    );
  });
});
