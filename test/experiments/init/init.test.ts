import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { loadCaptions } from '#captions/formats';
import { parseExperiment } from '#experiments';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { tinySizes } from '../../support/tinySizes.js';
import { refusal, tokenfuse } from '../../support/tokenfuse.js';

const COLOURS = { red: '#e01e1e', green: '#14b428', blue: '#1e1ee0' };

/** Thirty small images in two folders, and their captions as a table. */
async function writePhotographs(folder: string): Promise<void> {
  const rows = ['image,caption'];
  for (let i = 0; i < 30; i++) {
    const [name, background] = Object.entries(COLOURS)[i % 3];
    const file = join(i % 2 ? 'odd' : 'even', `${i}.png`);
    mkdirSync(dirname(join(folder, 'photographs', file)), { recursive: true });
    const create = { width: 20 + (i % 7), height: 24, channels: 3 as const, background };
    await sharp({ create })
      .png()
      .toFile(join(folder, 'photographs', file));
    rows.push(`${file},a ${name} card`, `${file},"a ${name} card, number ${i}"`);
  }
  writeFileSync(join(folder, 'captions.csv'), `${rows.join('\n')}\n`);
}

describe('tokenfuse init', () => {
  it('writes an experiment that runs from start to report', { timeout: 300_000 }, async () => {
    const folder = temporaryFolder();
    await writePhotographs(folder);
    const init = ['init', 'mine', '--captions', 'captions.csv', '--images', 'photographs', '--json'];
    const created = await tokenfuse(init, folder);
    expect(created.code, created.stderr).toBe(0);
    const { next, images, captions } = JSON.parse(created.stdout);
    expect(images).toEqual({ train: 24, validation: 3, test: 3 });
    expect(captions).toBe(60);
    expect(next[0]).toBe('tokenfuse run mine/pipeline.yaml --root mine');
    const { code, stdout, stderr } = await tokenfuse(
      [...next[0].split(' ').slice(1), '--engine', 'wasm', ...tinySizes(), '--json'],
      folder,
    );
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ passed: true, report: join(folder, 'mine', 'report.html') });
    expect(existsSync(join(folder, 'mine', 'report.html'))).toBe(true);
    // The tokenizer has fewer tokens than asked for: it is kept all the same.
    const again = await tokenfuse(
      ['run', 'mine/pipeline.yaml', '--root', 'mine', '--engine', 'wasm', ...tinySizes(), '--only', 'tokenizer,vision'],
      folder,
    );
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain('vision    done in');
    expect(again.stdout).not.toContain('tokenizer');
  });

  it('leaves the data as they are, and splits them the same way each time', async () => {
    const folder = temporaryFolder();
    await writePhotographs(folder);
    const before = readFileSync(join(folder, 'captions.csv'));
    for (const name of ['one', 'two']) {
      const words = ['init', name, '--captions', 'captions.csv', '--images', 'photographs', '--size', 'medium'];
      const { code, stdout } = await tokenfuse(words, folder);
      expect(code).toBe(0);
      expect(stdout).toContain('text file: 30 images with 60 captions');
      expect(stdout).toContain('24 for training, 3 for validation, 3 for testing: drawn at random with a fixed seed');
    }
    const split = (name: string, part: string) =>
      loadCaptions(join(folder, name, 'captions', `${part}.json`), {
        images: join(folder, 'photographs'),
        requireImageFiles: true,
      });
    for (const part of ['train', 'validation', 'test']) expect(split('one', part)).toEqual(split('two', part));
    const ids = ['train', 'validation', 'test'].flatMap((part) => split('one', part).map(({ id }) => id));
    expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(
      readFileSync(join(folder, 'one', 'captions', 'train.txt'), 'utf8')
        .trim()
        .split('\n'),
    ).toHaveLength(48);
    expect(readFileSync(join(folder, 'captions.csv'))).toEqual(before);
    for (const file of readdirSync(join(folder, 'one')).filter((name) => name.endsWith('.yaml'))) {
      expect(parseExperiment(join(folder, 'one', file)).config.name.length).toBeGreaterThan(0);
    }
  });

  it('refuses a folder with something in it, and writes nothing there', async () => {
    const folder = temporaryFolder();
    await writePhotographs(folder);
    const words = ['init', 'photographs', '--captions', 'captions.csv', '--images', 'photographs'];
    expect(await refusal(words, folder, 2)).toMatch(
      /photographs: expected a new or empty place, got a folder with even, odd; choose another place$/,
    );
    expect(readdirSync(join(folder, 'photographs')).sort()).toEqual(['even', 'odd']);
  });

  it('asks nothing without a terminal, and says what it needs', async () => {
    const folder = temporaryFolder();
    expect(await refusal(['init', 'new'], folder, 2)).toContain('expected --captions <file or folder>');
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });

  it('refuses sizes that there are not, before anything is written', async () => {
    const folder = temporaryFolder();
    await writePhotographs(folder);
    const words = ['init', 'new', '--captions', 'captions.csv', '--images', 'photographs'];
    expect(await refusal([...words, '--size', 'huge'], folder, 2)).toContain("expected small or medium, got 'huge'");
    expect(await refusal([...words, '--image-size', '50'], folder, 2)).toContain('expected a multiple of 8 from 16');
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });
});
