import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { parsePage } from '#docs-site';
import { writePhotos } from '../../support/photos.js';
import { SMALL_QUICKSTART } from '../../support/smallQuickstart.js';
import type { Shell } from './shell.js';

/**
 * A folder that has what the docs' commands name: the small quickstart's data and models, at its top and in `runs/`, pictures with
 * captions in several forms, the experiment files of the pages, predictions and groups.
 *
 * @throws Error when a command that makes it fails
 */
export async function makeWorkshop(root: string, folder: string, shell: Shell): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const at = (name: string): string => join(folder, name);
  const copy = (from: string, ...names: string[]): void => {
    for (const name of names) cpSync(at(from), at(name), { recursive: true });
  };
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), text);
  };
  const make = async (command: string): Promise<void> => {
    const { code, output } = await shell.run(command, folder);
    if (code !== 0) throw new Error(`${command}\n${output}`);
  };

  symlinkSync(join(root, 'experiments'), at('experiments'), 'dir');
  await make(`tokenfuse run experiments/quickstart/pipeline.yaml --root . ${SMALL_QUICKSTART.join(' ')}`);
  for (const name of ['tokenizer', 'vision', 'language', 'merged', 'align'])
    copy(name, `runs/quickstart/${name}`, `runs/${name}`);
  copy('align', 'aligned', 'runs/first', 'runs/second', 'runs/quickstart/align-all');
  copy('language', 'runs/small');
  copy('data/test_seen', 'runs/quickstart/data/test_seen');
  for (const name of ['merge', 'align', 'evaluate']) copy(`experiments/quickstart/${name}.yaml`, `${name}.yaml`);

  const photos = await writePhotos(folder);
  for (const { file, captions } of photos) write(`photos/${file.replace('.jpg', '.txt')}`, `${captions.join('\n')}\n`);
  const rows = photos.flatMap(({ file, captions }) => captions.map((caption) => `${file},${caption}`));
  write('captions.csv', `image,caption\n${rows.join('\n')}\n`);
  const images = photos.map(({ id, file, captions }) => ({
    ...{ imgid: id, filename: file, split: id % 4 === 0 ? 'test' : 'train' },
    sentences: captions.map((raw) => ({ raw })),
  }));
  write('dataset_flickr8k.json', JSON.stringify({ images, dataset: 'photos' }));
  for (const { file } of photos) copy(`photos/${file}`, file);
  copy('photos/1.jpg', 'photo.jpg', 'folder/1.jpg');
  mkdirSync(at('other'));
  await sharp(at('photo.jpg')).toFile(at('other/1.png'));

  copy('data/test_seen/captions.json', 'captions.json');
  copy('data/test_seen/images', 'pictures');
  copy('data/pairs/train/captions.json', 'train.json');
  copy('evaluation/predictions/seen/model.json', 'predictions.json', 'a.json');
  copy('evaluation/predictions/seen/shuffled-images.json', 'b.json');

  const [tune] = parsePage(readFileSync(join(root, 'docs/tuning.md'), 'utf8')).blocks.filter(
    ({ language, text }) => language === 'yaml' && text.startsWith('kind: tune'),
  );
  write('tune.yaml', tune.text);
  write('runs/verse.txt', photos.map(({ captions: [caption] }) => `${caption}\n`).join(''));
  await make(`tokenfuse tune tune.yaml --root runs --out verse ${SMALL_TUNE}`);
  await make(
    `tokenfuse tune tune.yaml --root runs --out sketch --set name=sketch --set group.name=sketch ${SMALL_TUNE}`,
  );
}

/** Settings that make the example of docs/tuning.md a matter of seconds. */
export const SMALL_TUNE = ['steps=4', 'warmupSteps=1', 'batchSize=4', 'evaluateEvery=2']
  .map((setting) => `--set training.${setting}`)
  .join(' ');
