import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { CaptionSource } from '#captions/formats';
import { tarBytes } from './tarBytes.js';

/** What every format says of the same images; the awkward characters are what quoting and line ends trip over. */
export const SAME_CAPTIONS: readonly { readonly fileName: string; readonly captions: readonly string[] }[] = [
  { fileName: 'bird.png', captions: ['a bird, on a "wire"', 'one small bird'] },
  { fileName: 'cat.png', captions: ['a grey cat'] },
  { fileName: 'dog.png', captions: ['ein großer Hund', 'a dog # 3', 'a dog'] },
];

const COLOURS = ['#d62728', '#7f7f7f', '#8c564b'];

/** The same images and captions in every format, below `folder`. */
export async function writeEveryFormat(folder: string): Promise<Record<string, CaptionSource>> {
  const images = join(folder, 'images');
  const sidecar = join(folder, 'sidecar');
  const shards = join(folder, 'shards');
  for (const path of [images, sidecar, shards]) mkdirSync(path, { recursive: true });
  for (const [i, { fileName, captions }] of SAME_CAPTIONS.entries()) {
    const square = { width: 16, height: 16, channels: 3, background: COLOURS[i] } as const;
    await sharp({ create: square }).toFile(join(images, fileName));
    copyFileSync(join(images, fileName), join(sidecar, fileName));
    writeFileSync(join(sidecar, fileName.replace('.png', '.txt')), captions.join('\n'));
  }
  const at = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const lines = (line: (fileName: string, caption: string, i: number) => string): string[] =>
    SAME_CAPTIONS.flatMap(({ fileName, captions }) => captions.map((caption, i) => line(fileName, caption, i)));

  const annotations = SAME_CAPTIONS.flatMap(({ captions }, i) =>
    captions.map((caption) => ({ image_id: i + 1, caption })),
  );
  const cocoImages = SAME_CAPTIONS.map(({ fileName }, i) => ({ id: i + 1, file_name: fileName }));
  const domains = ['in-domain', 'out-domain', 'near-domain'];
  const nocapsImages = cocoImages.map((image, i) => ({ ...image, domain: domains[i] }));
  const karpathyImages = SAME_CAPTIONS.map(({ fileName: filename, captions }, i) => ({
    imgid: i + 1,
    filename,
    split: (['train', 'restval', 'test'] as const)[i],
    sentences: captions.map((raw) => ({ raw, tokens: raw.split(' ') })),
  }));
  const [bird, cat, dog] = SAME_CAPTIONS.map(({ fileName }) => readFileSync(join(images, fileName)));
  writeFileSync(
    join(shards, '000000.tar'),
    tarBytes([
      { name: 'bird.png', content: bird },
      { name: 'bird.txt', content: SAME_CAPTIONS[0].captions.join('\n') },
      { name: 'cat.json', content: JSON.stringify({ caption: SAME_CAPTIONS[1].captions[0], width: 16 }) },
      { name: 'cat.png', content: cat },
    ]),
  );
  writeFileSync(
    join(shards, '000001.tar'),
    tarBytes([
      { name: 'dog.cls', content: '3' },
      { name: 'dog.png', content: dog },
      { name: 'dog.json', content: JSON.stringify({ captions: SAME_CAPTIONS[2].captions }) },
    ]),
  );
  const csv = lines((fileName, caption) => `${fileName},"${caption.replaceAll('"', '""')}"`);
  return {
    coco: { format: 'coco', path: at('coco.json', JSON.stringify({ images: cocoImages, annotations })) },
    nocaps: { format: 'nocaps', path: at('nocaps.json', JSON.stringify({ images: nocapsImages, annotations })) },
    karpathy: {
      format: 'karpathy',
      path: at('dataset.json', JSON.stringify({ dataset: 'x', images: karpathyImages })),
      split: ['train', 'restval', 'test'],
    },
    flickr8k: {
      format: 'flickr8k',
      path: at('token.txt', lines((name, caption, i) => `${name}#${i}\t${caption}\n`).join('')),
    },
    csv: { format: 'csv', path: at('captions.txt', `\uFEFFimage,caption\r\n${csv.join('\r\n')}\r\n`) },
    sidecar: { format: 'sidecar', path: sidecar },
    webdataset: { format: 'webdataset', path: [join(shards, '000000.tar'), join(shards, '000001.tar')] },
    'coco by its path': join(folder, 'coco.json'),
    'nocaps by its path': join(folder, 'nocaps.json'),
    'flickr8k by its path': join(folder, 'token.txt'),
    'csv by its path': join(folder, 'captions.txt'),
    'a folder by its path': sidecar,
    'shards by their folder': shards,
  };
}
