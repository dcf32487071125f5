import { join } from 'node:path';
import { draftFolder, writeFileAtomic } from '#src/storage';

import { type ImageViews, INSPECTION, type Inspection } from '../inspection/index.js';
import { inspectionPage } from './inspectionPage.js';

/** The name of the page, beside which `inspection.json` lies. */
export const INSPECTION_PAGE = 'inspection.html';

/** Writes the page and the JSON of an inspection as a new folder. @throws RunError when the disk refuses */
export async function writeInspection(
  folder: string,
  inspection: Inspection,
  views: ImageViews | undefined,
  perGroup: number,
): Promise<void> {
  const draft = draftFolder(folder);
  try {
    writeFileAtomic(join(draft.path, INSPECTION_PAGE), await inspectionPage(inspection, views, perGroup));
    writeFileAtomic(join(draft.path, INSPECTION), inspectionText(inspection));
    draft.publish();
  } finally {
    draft.discard();
  }
}

/** A group, an image and a text a line: with a number a line, the file would be many times as long. */
function inspectionText(inspection: Inspection): string {
  const fields = Object.entries(inspection).map(([key, value]) => {
    const lines = Array.isArray(value) ? `[\n${value.map((entry) => JSON.stringify(entry)).join(',\n')}\n]` : undefined;
    return `${JSON.stringify(key)}: ${lines ?? JSON.stringify(value)}`;
  });
  return `{\n${fields.join(',\n')}\n}\n`;
}
