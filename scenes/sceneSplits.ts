import { createRandom } from '#src/random';
import { disagreements } from './relations.js';
import { type CombinationRule, sampleScene } from './sampleScene.js';
import type { Disagreement, Scene } from './scene.js';
import type { ScenesConfig } from './scenesConfig.js';

type CountName = keyof ScenesConfig['counts'];

/** A folder of images and what its scenes must be. */
export interface ImageSplit {
  readonly folder: string;
  readonly count: CountName;
  readonly combinations: CombinationRule;
  /** `labels`: attributes, never a caption. `captions`: captions and ground truth, never an attribute label. */
  readonly annotations: 'labels' | 'captions';
  /** Two objects, and captions about a pair and axis that the first object's own side of the image does not answer. */
  readonly disagree?: true;
}

export const IMAGE_SPLITS: readonly ImageSplit[] = [
  { folder: 'vision/train', count: 'visionTrain', combinations: 'all', annotations: 'labels' },
  { folder: 'vision/val', count: 'visionVal', combinations: 'all', annotations: 'labels' },
  { folder: 'pairs/train', count: 'pairsTrain', combinations: 'seen', annotations: 'captions' },
  { folder: 'pairs/val', count: 'pairsVal', combinations: 'seen', annotations: 'captions' },
  { folder: 'test_seen', count: 'testSeen', combinations: 'seen', annotations: 'captions' },
  { folder: 'test_heldout', count: 'testHeldOut', combinations: 'heldOut', annotations: 'captions' },
  {
    folder: 'test_disagree_seen',
    count: 'testDisagreeSeen',
    combinations: 'seen',
    annotations: 'captions',
    disagree: true,
  },
  {
    folder: 'test_disagree_heldout',
    count: 'testDisagreeHeldOut',
    combinations: 'heldOut',
    annotations: 'captions',
    disagree: true,
  },
];

export const LANGUAGE_SPLITS: readonly { readonly file: string; readonly count: CountName }[] = [
  { file: 'language/train.txt', count: 'languageTrain' },
  { file: 'language/val.txt', count: 'languageVal' },
];

/** Scene number `index` of a split; it depends on nothing but the configuration, the folder and the index. */
export function sceneOfSplit(
  config: ScenesConfig,
  split: ImageSplit,
  index: number,
): Scene & { readonly disagreement?: Disagreement } {
  const random = createRandom(config.seed, 'scene', split.folder, index);
  if (!split.disagree) return sampleScene(random, config, split.combinations);
  for (;;) {
    const scene = sampleScene(random, { ...config, minObjects: 2, maxObjects: 2 }, split.combinations);
    const found = disagreements(scene);
    if (found.length > 0) return { ...scene, disagreement: random.choice(found) };
  }
}
