import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CaptionSource, loadCaptions, readPredictions } from '#captions/formats';
import { LanguageDataConfig } from '#language';
import { ImageDataConfig } from '#vision';
import { readImageShards } from '../../vision/data/imageShards.js';
import { tarBytes } from '../support/tarBytes.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/data-formats.md'), 'utf8');
const sections = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ title: text.split('\n', 1)[0], text }))
  // Of all formats.
  .filter(({ title }) => title !== 'Image files');

/** The blocks that follow a line with the name of a file. */
function filesOf(text: string): Map<string, string> {
  const blocks = text.matchAll(/^`([\w./]+)`(?: with the members)?:\n\n```\w+\n(.*?)```/gms);
  return new Map([...blocks].map(([, name, content]) => [name, content]));
}

const CAPTIONS = [['a cat on a mat', 'a grey cat, asleep'], ['a dog']];

describe('docs/data-formats.md', () => {
  it('has a section for every format', () => {
    const formats = CaptionSource.options[1].options.map(({ shape }) => shape.format.value);
    expect(formats).toHaveLength(7);
    expect(sections.map(({ title }) => title).slice(formats.length)).toEqual(['Text', 'Predictions']);
  });

  it.each(sections.slice(0, -2))('gives an example of $title that can be read', ({ text }) => {
    const folder = temporaryFolder();
    const files = filesOf(text);
    expect(files.size).toBeGreaterThan(0);
    const write = (name: string, content: string | Uint8Array): void => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    };
    for (const image of ['images/cat.jpg', 'images/dog.jpg']) write(image, '');
    for (const [name, content] of files) {
      if (name.endsWith('.tar')) {
        const members = content.trim().split('\n');
        write(name, tarBytes(members.map((member) => ({ name: member, content: files.get(member) ?? '' }))));
      } else write(name, content);
      if (name.startsWith('pictures/')) write(name.replace('.txt', '.jpg'), '');
    }
    const [, yaml] = text.match(/```yaml\n(.*?)```/s) as RegExpMatchArray;
    const source = CaptionSource.parse(parse(yaml).captions);
    const images = loadCaptions(source, { root: folder, requireImageFiles: true });
    expect(images.map(({ id, captions }) => [id, captions])).toEqual(CAPTIONS.map((captions, i) => [i + 1, captions]));
  });

  it('gives an example of text that can be named so', () => {
    const [, yaml] = sections[sections.length - 2].text.match(/```yaml\n(.*?)```/s) as RegExpMatchArray;
    const { data, files } = parse(yaml);
    expect(LanguageDataConfig.safeParse({ seqLen: 8, ...(data ?? { files }) }).error).toBeUndefined();
  });

  it('gives an example of shards for vision pretraining that can be read', () => {
    const [, text] = page.split('### Shards for vision pretraining');
    const [, yaml] = text.match(/```yaml\n(.*?)```/s) as RegExpMatchArray;
    const config = ImageDataConfig.parse(parse(yaml).train);
    if (config.kind !== 'webdataset') throw new Error(`expected shards, got ${config.kind}`);
    const folder = temporaryFolder();
    const files = filesOf(text.split('\n## ')[0]);
    const members = files.get('labelled/000000.tar')!.trim().split('\n');
    mkdirSync(join(folder, config.path as string));
    const shard = tarBytes(members.map((name) => ({ name, content: files.get(name) ?? '' })));
    writeFileSync(join(folder, 'labelled/000000.tar'), shard);
    const read = readImageShards([join(folder, config.path as string)], 'grid', config.grid);
    expect([read.classNames, [...read.labels!]]).toEqual([
      ['cat', 'dog'],
      [0, 1],
    ]);
    expect([read.attributeNames, [...read.attributes!]]).toEqual([
      ['red', 'round'],
      [1, 1, 1, 0],
    ]);
    expect([...read.cells!]).toEqual([1, 0, 0, 2]);
  });

  it('gives an example of predictions that can be read', () => {
    const { text } = sections[sections.length - 1];
    const [, json] = text.match(/```json\n(.*?)```/s) as RegExpMatchArray;
    const path = join(temporaryFolder(), 'predictions.json');
    writeFileSync(path, json);
    expect([...readPredictions(path)]).toEqual([
      [1, 'a cat on a mat'],
      [2, 'a dog'],
    ]);
  });
});
