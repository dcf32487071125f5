import { type GroupReading, groupPlaces } from '#fusion';
import type { InspectedModel } from './inspectedModel.js';

/** Hears what groups read of image tokens, with the path of their layer. */
export type ReadingListener = (layerPath: string, reading: GroupReading) => void;

/** Makes listeners for the readings of a merged model. */
export function readingListeners(model: InspectedModel): (hear: ReadingListener) => (reading: GroupReading) => void {
  const places = groupPlaces(model);
  return (hear) => (reading) => {
    const path = places.get(reading.active[0].group.valueParamTokens);
    if (path !== undefined) hear(path, reading);
  };
}
