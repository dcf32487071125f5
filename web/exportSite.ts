import { basename, dirname, join, resolve } from 'node:path';
import type { Decoding } from '#language';
import { draftFolder, jsonText, writeFileAtomic } from '#src/storage';
import { type ExampleSource, examplePictures } from './examplePictures.js';
import type { PrecisionLoss, SiteManifest } from './manifest.js';
import { type CheckPairs, precisionLoss } from './precisionLoss.js';
import { readSiteModel } from './siteModel.js';
import { sitePage } from './sitePage.js';
import { siteScripts } from './siteScripts.js';
import { decodeWeights, encodeWeights, fitsFloat16, type WeightPrecision } from './weights/index.js';

/** The file that a page is opened by. */
export const SITE_INDEX = 'index.html';

export interface ExportOptions {
  /** The version that is stated. */
  readonly version: string;
  /** By default the name of the model's folder. */
  readonly title?: string | undefined;
  /** Of matrices. Default: float16, or float32 where a weight is beyond its range. */
  readonly weights?: WeightPrecision | undefined;
  readonly decoding: Decoding;
  /** For a merged model. */
  readonly examples?: ExampleSource | undefined;
  /** For a merged model: pairs on which the loss of precision is measured. */
  readonly check?: CheckPairs | undefined;
  /** Beginnings of texts, for a language model. */
  readonly prompts?: readonly string[] | undefined;
  /** Whether all is put into index.html. */
  readonly singleFile?: boolean | undefined;
}

/** What was exported. */
export interface ExportedSite {
  readonly kind: 'fusion' | 'language';
  /** Of all files together. */
  readonly bytes: number;
  readonly weightBytes: number;
  readonly loss: PrecisionLoss;
}

/**
 * Writes a static page that runs a model in the browser of whoever opens it: `index.html` and the files that it reads.
 *
 * @param out the folder; nothing may be there
 * @throws UserError for a model that no page can run, and for examples or pairs that cannot be read
 */
export async function exportSite(path: string, out: string, options: ExportOptions): Promise<ExportedSite> {
  const { model, tensors, tokenizer, encoding } = readSiteModel(path);
  try {
    const precision = options.weights ?? (fitsFloat16(tensors) ? 'float16' : 'float32');
    const { stored, shards } = encodeWeights(tensors, precision);
    const { decoding, check } = options;
    const decoded = decodeWeights(stored, shards);
    const loss = await precisionLoss(model, tokenizer, [tensors, decoded], { precision, decoding, check });
    const pictures =
      model.kind === 'fusion' && options.examples ? await examplePictures(options.examples, model.config.vision) : [];
    const manifest: SiteManifest = {
      format: 1,
      tokenfuse: options.version,
      title: options.title ?? nameOf(path),
      model,
      encoding,
      weights: stored,
      decoding,
      examples: pictures.map(({ example }) => example),
      prompts: options.prompts ?? [],
      loss,
      parameters: [...tensors.values()].reduce((sum, { values }) => sum + values.length, 0),
    };
    const files = new Map<string, Uint8Array>([
      ...siteScripts(),
      ['model.json', Buffer.from(jsonText(manifest))],
      ...stored.shards.map(({ file }, i): [string, Uint8Array] => [file, shards[i]]),
      ...pictures.map(({ example, png }): [string, Uint8Array] => [example.file, png]),
    ]);
    const bytes = writeSite(out, manifest, files, options.singleFile ?? false);
    return { kind: model.kind, bytes, weightBytes: stored.shards.reduce((sum, shard) => sum + shard.bytes, 0), loss };
  } finally {
    tokenizer.dispose();
  }
}

/** @returns bytes of all files */
function writeSite(
  out: string,
  manifest: SiteManifest,
  files: ReadonlyMap<string, Uint8Array>,
  singleFile: boolean,
): number {
  const ofFiles = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  const draft = draftFolder(out);
  try {
    if (singleFile) {
      // Its own size is a part of it: base64 takes four bytes for three.
      const page = sitePage(manifest, Math.round((4 * ofFiles) / 3), files);
      writeFileAtomic(join(draft.path, SITE_INDEX), page);
      draft.publish();
      return Buffer.byteLength(page);
    }
    const page = sitePage(manifest, ofFiles, undefined);
    for (const [name, content] of files) writeFileAtomic(join(draft.path, name), content);
    writeFileAtomic(join(draft.path, SITE_INDEX), page);
    draft.publish();
    return ofFiles + Buffer.byteLength(page);
  } finally {
    draft.discard();
  }
}

/** `quickstart: align` of runs/quickstart/align. */
function nameOf(path: string): string {
  const folder = resolve(path);
  return `${basename(dirname(folder))}: ${basename(folder)}`;
}
