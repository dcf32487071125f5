import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadModel } from '../../api/fusion.js';
import { loadLanguageModel, tune } from '../../api/language.js';
import { loadVisionModel } from '../../api/vision.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine, userErrorLine } from '../support/thrown.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { COLOUR_NAMES, writeTinyCaptions } from '../support/tinyCaptions.js';
import { writeTinyGroup } from '../support/tinyGroups.js';
import { mergeTiny } from '../support/tinyJointModel.js';
import { tinyTuning, writeRhymes } from '../support/tinyTune.js';

it('a language model computes with a group while it is attached, and is saved with it', async () => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  const file = writeTinyGroup(folder, 'language', { name: 'verse' });
  using model = await loadLanguageModel(join(folder, 'language'));
  const ids = [[1, 2, 3, 4]];
  const before = await model.logits(ids);
  // Two blocks, five layers, three tokens, keys and values of width 8.
  expect(await model.attachGroup(file)).toEqual({ name: 'verse', backbone: 'language', numParameters: 480 });
  const grouped = await model.logits(ids);
  expect(grouped.values).not.toEqual(before.values);
  await model.save(join(folder, 'saved'));
  model.detachGroup('verse');
  expect((await model.logits(ids)).values).toEqual(before.values);
  expect(userErrorLine(() => model.detachGroup('verse'))).toContain("(none), got 'verse'");
  using saved = await loadLanguageModel(join(folder, 'saved'));
  expect((await saved.logits(ids)).values).toEqual(grouped.values);
});

it('so do a vision and a merged model', async () => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  await writeTinyCaptions(folder);
  const images = [join(folder, 'images', `${COLOUR_NAMES[0]}.png`)];
  const [sketch, verse] = [
    writeTinyGroup(folder, 'vision', { name: 'sketch' }),
    writeTinyGroup(folder, 'language', { name: 'verse' }),
  ];
  using vision = await loadVisionModel(join(folder, 'vision'));
  using merged = await loadModel(mergeTiny(folder));
  const [states, embedded] = [await merged.encode(images), await vision.embed(images)];
  const [logProb] = await merged.logProbs(images, ['a red square']);
  expect(await rejectedLine(vision.attachGroup(verse))).toContain('expected a group of a vision backbone');
  for (const model of [vision, merged]) await model.attachGroup(sketch);
  await merged.attachGroup(verse);
  expect((await vision.embed(images)).values).not.toEqual(embedded.values);
  expect((await merged.encode(images)).values).not.toEqual(states.values);
  expect((await merged.logProbs(images, ['a red square']))[0]).not.toBe(logProb);
  await merged.save(join(folder, 'saved'));
  using saved = await loadModel(join(folder, 'saved'));
  expect((await saved.encode(images)).values).toEqual((await merged.encode(images)).values);
  for (const model of [vision, merged]) model.detachGroup('sketch');
  merged.detachGroup('verse');
  expect((await vision.embed(images)).values).toEqual(embedded.values);
  expect((await merged.encode(images)).values).toEqual(states.values);
  expect(await merged.logProbs(images, ['a red square'])).toEqual([logProb]);
});

it('a group is tuned and attached', async () => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  writeRhymes(folder);
  const places = { out: join(folder, 'tune'), root: folder, cacheDir: join(folder, 'cache') };
  const { group, trainableParameters, steps } = await tune({ ...tinyTuning() }, places);
  expect([steps, trainableParameters]).toEqual([8, 480]);
  using model = await loadLanguageModel(join(folder, 'language'));
  expect((await model.attachGroup(group!)).name).toBe('rhymes');
});
