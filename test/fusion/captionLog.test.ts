import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CaptionImage } from '#captions/formats';
import { type CaptionedFile, type CaptionSettings, openCaptionLog } from '#fusion';
import { Decoding } from '#language';
import { unsealed } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const images: CaptionImage[] = ['a', 'b', 'c'].map((name, i) => ({
  id: i + 1,
  fileName: `${name}.png`,
  path: `/nowhere/${name}.png`,
}));
const settings: CaptionSettings = { model: 'abc', decoding: Decoding.parse({ method: 'beam', nBest: 2 }) };

const captioned = (i: number): CaptionedFile => ({
  image: images[i],
  candidates: ['first', 'second'].map((word) => ({
    caption: `${word} ${i}`,
    logProb: -1.5,
    numTokens: 2,
    ended: true,
  })),
});

function half(): { path: string; bytes: string } {
  const path = join(temporaryFolder(), 'deep', 'out.jsonl');
  const log = openCaptionLog(path, settings, images);
  log.append([captioned(0), captioned(1)]);
  log.close();
  return { path, bytes: readFileSync(path, 'utf8') };
}

describe('openCaptionLog', () => {
  it('keeps settings, all candidates and their log p, a line an image', () => {
    const lines = half()
      .bytes.trim()
      .split('\n')
      .map((line) => unsealed(JSON.parse(line), 'line', 'captions'));
    expect(lines).toEqual([
      settings,
      { image_id: 1, file_name: 'a.png', candidates: captioned(0).candidates },
      { image_id: 2, file_name: 'b.png', candidates: captioned(1).candidates },
    ]);
  });

  it('goes on with what is there', () => {
    const { path, bytes } = half();
    const log = openCaptionLog(path, settings, images);
    expect([...log.captions]).toEqual([
      [1, 'first 0'],
      [2, 'first 1'],
    ]);
    log.append([captioned(2)]);
    log.close();
    expect(readFileSync(path, 'utf8').startsWith(bytes)).toBe(true);
    const again = openCaptionLog(path, settings, images);
    expect([...again.captions.keys()]).toEqual([1, 2, 3]);
    again.close();
  });

  it('goes on from every place at which a run may have been cut off', () => {
    const { path, bytes } = half();
    const whole = Buffer.from(bytes);
    for (let length = 0; length <= whole.length; length += 7) {
      writeFileSync(path, whole.subarray(0, length));
      const log = openCaptionLog(path, settings, images);
      const missing = [0, 1].filter((i) => !log.captions.has(images[i].id));
      log.append(missing.map(captioned));
      log.close();
      expect(readFileSync(path, 'utf8'), `cut at ${length}`).toBe(bytes);
    }
  });

  it.each([
    [{ ...settings, model: 'other' }, 'another model'],
    [{ ...settings, decoding: Decoding.parse({ method: 'beam', width: 7, nBest: 2 }) }, 'width 5, now 7'],
    [{ ...settings, decoding: Decoding.parse({ method: 'greedy' }) }, 'method "beam", now "greedy"'],
  ])('refuses a file that was made with other settings (%#)', (other, difference) => {
    const { path, bytes } = half();
    const line = userErrorLine(() => openCaptionLog(path, other, images));
    expect(line).toContain(difference);
    expect(line).toContain('choose another --out');
    expect(readFileSync(path, 'utf8')).toBe(bytes);
  });

  it('refuses a file that was made of other images', () => {
    const { path } = half();
    const renamed = images.map((image) => (image.id === 2 ? { ...image, fileName: 'z.png' } : image));
    expect(userErrorLine(() => openCaptionLog(path, settings, renamed))).toContain('image 2, b.png, is now z.png');
    expect(userErrorLine(() => openCaptionLog(path, settings, images.slice(1)))).toContain(
      'image 1, a.png, is no longer there',
    );
  });

  it.each(['not JSON', '{"image_id": "3"}', '[]', 'null'])(
    'names the line that is not one of captions: %s',
    (broken) => {
      const { path } = half();
      appendFileSync(path, `${broken}\n`);
      expect(userErrorLine(() => openCaptionLog(path, settings, images))).toContain(
        `${path}:4: expected a line of captions`,
      );
    },
  );

  it.each(['my notes\n', 'my notes'])('refuses another kind of file and leaves it alone: %j', (text) => {
    const path = join(temporaryFolder(), 'out.jsonl');
    writeFileSync(path, text);
    expect(userErrorLine(() => openCaptionLog(path, settings, images))).toContain(`${path}:1:`);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('refuses a letter that was changed since', () => {
    const { path, bytes } = half();
    writeFileSync(path, bytes.replace('first 1', 'fjrst 1'));
    expect(userErrorLine(() => openCaptionLog(path, settings, images))).toContain(`${path}:3: expected a line`);
  });

  it('goes on with a file of an earlier version, whose lines have no seal', () => {
    const { path, bytes } = half();
    writeFileSync(path, bytes.replaceAll(/,"sha256":"[0-9a-f]*"/g, ''));
    const log = openCaptionLog(path, settings, images);
    expect([...log.captions.keys()]).toEqual([1, 2]);
    log.close();
  });
});
