import { listImageArguments } from '#captions/formats';
import { ConfigError } from '#src/errors';
import { openImageDataset, openImageList, type VisionExperiment } from '#vision';
import type { InspectedModel } from './inspectedModel.js';
import type { DataOptions, InspectedImages, InspectionData, RunDataOptions } from './inspectionData.js';

/** The images that a vision run is validated on. */
export async function openRunImages(
  model: InspectedModel,
  { data }: VisionExperiment,
  { root, cacheDir, limit, note }: RunDataOptions,
): Promise<InspectionData> {
  const { imageSize } = visionOf(model).backbone;
  const config = data.validation ?? data.train;
  const dataset = await openImageDataset(config, {
    ...{ baseDir: root, cacheDir, imageSize, note },
    requirement: 'none',
    split: data.validation ? 'train' : 'validation',
  });
  const source = [config.kind === 'coco' ? config.annotations : config.path].flat().join(', ');
  return { images: imagesOf(dataset, source, limit), close: dataset.close };
}

/** The images that the user names; those that cannot be read are left out. */
export async function openNamedImages(
  model: InspectedModel,
  { images, limit, cacheDir, note }: DataOptions,
): Promise<InspectionData> {
  const { backbone, preprocessing } = visionOf(model);
  const listed = listImageArguments(images, { note });
  const entries = listed.images.map(({ path, member, fileName: key }) => ({ path, member, key }));
  const dataset = await openImageList(spread(entries, limit), preprocessing, {
    ...{ imageSize: backbone.imageSize, cacheDir },
    // Whoever looks at a model wants to see the images that can be read.
    maxBrokenShare: 1,
  });
  const left = dataset.broken.length + listed.unusable.length;
  if (left > 0) note(`${left} images cannot be read and are left out`);
  return { images: imagesOf(dataset, images.join(', '), limit), close: dataset.close };
}

function imagesOf(dataset: Awaited<ReturnType<typeof openImageList>>, source: string, limit: number): InspectedImages {
  const chosen = spread([...dataset.paths.keys()], limit);
  return {
    source,
    count: chosen.length,
    nameOf: (index) => dataset.paths[chosen[index]],
    pixelValues: (indices) => dataset.batchOf(indices.map((index) => chosen[index])).pixelValues,
  };
}

/** At most `limit` of the entries, evenly spaced. */
function spread<T>(entries: readonly T[], limit: number): T[] {
  const count = Math.min(limit, entries.length);
  return Array.from({ length: count }, (_, i) => entries[Math.floor((i * entries.length) / count)]);
}

function visionOf({ vision, kind }: InspectedModel): NonNullable<InspectedModel['vision']> {
  if (vision === undefined) throw new ConfigError(`--images: has no effect on a ${kind} model, which reads no images`);
  return vision;
}
