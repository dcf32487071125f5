import type { LabelledImages } from './labelledImages.js';

/**
 * The images of several sources in order. Attributes are those of all sources, in name order where there are several; an image
 * lacks those that only other sources have.
 */
export function joinImages(sources: readonly LabelledImages[]): LabelledImages {
  if (sources.length === 1) return sources[0];
  const entries = sources.flatMap((source) => source.entries);
  if (sources.every(({ attributeNames }) => attributeNames === undefined)) return { entries };
  const attributeNames = [...new Set(sources.flatMap((source) => source.attributeNames ?? []))].sort();
  const place = new Map(attributeNames.map((name, i) => [name, i]));
  const attributes = new Uint8Array(entries.length * attributeNames.length); // [entries, attributeNames]
  let image = 0;
  for (const { entries: own, attributeNames: names = [], attributes: values = [] } of sources) {
    for (let i = 0; i < own.length; i++, image++) {
      for (const [a, name] of names.entries()) {
        attributes[image * attributeNames.length + (place.get(name) as number)] = values[i * names.length + a];
      }
    }
  }
  return { entries, attributeNames, attributes };
}
