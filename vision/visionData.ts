import { namePassedOver } from '#src/data';
import type { RunOptions } from '#src/training';
import { checkLabels } from './checkLabels.js';
import {
  checkAugment,
  type ImageDataConfig,
  type ImageDataset,
  type LabelNames,
  openImageDataset,
} from './data/index.js';
import type { VisionExperiment } from './experiment.js';
import { requiredLabels } from './objectives/index.js';
import type { VisionLabels } from './visionModelConfig.js';

/**
 * Opens the images of an experiment, with the labels that its objectives need.
 *
 * @param note receives what there is to say about the folders
 */
export async function openVisionData(
  { model, data, objectives }: Pick<VisionExperiment, 'model' | 'data' | 'objectives'>,
  { root, cacheDir }: Pick<RunOptions, 'root' | 'cacheDir'>,
  note?: (line: string) => void,
): Promise<{ readonly train: ImageDataset; readonly validation: ImageDataset }> {
  const order = ['none', 'class', 'attributes', 'grid'] as const;
  const requirement = order[Math.max(...objectives.map((objective) => order.indexOf(requiredLabels(objective))))];
  const open = (config: ImageDataConfig, split: 'train' | 'validation', like?: LabelNames): Promise<ImageDataset> =>
    openImageDataset(config, {
      // Both sides of a split are of one folder, which is described once.
      note: split === 'train' ? note : undefined,
      baseDir: root,
      cacheDir,
      imageSize: model.imageSize,
      requirement,
      split,
      like,
    });
  const train = await open(data.train, 'train');
  const validation = data.validation
    ? await open(data.validation, 'train', train)
    : await open(data.train, 'validation', train);
  return { train, validation };
}

/** Opens the images that a model learns from, checks their labels, and says what was found. */
export async function openTrainingImages(
  experiment: Parameters<typeof openVisionData>[0],
  options: RunOptions,
): Promise<{ readonly train: ImageDataset; readonly validation: ImageDataset; readonly labels: VisionLabels }> {
  const { data, objectives } = experiment;
  const { output } = options;
  const { train, validation } = await openVisionData(experiment, options, (line) => output.line(line));
  for (const { broken } of data.validation ? [train, validation] : [train]) {
    if (broken.length === 0) continue;
    const named = namePassedOver(broken.map(({ path, reason }) => ({ name: path, reason })));
    output.line(`${broken.length} broken image${broken.length === 1 ? '' : 's'} left out: ${named}`);
  }
  if (data.augment) checkAugment(data.augment, train);
  for (const line of checkLabels(objectives, train)) output.line(line);
  output.line(`${train.size} training images, ${validation.size} for validation`);
  const { classNames, attributeNames, grid } = train;
  return { train, validation, labels: JSON.parse(JSON.stringify({ classNames, attributeNames, grid })) };
}
