import { resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseConfig } from '#src/config';
import { KARPATHY_SPLITS, maxImagePixels } from '#src/data';
import { ConfigError } from '#src/errors';

export const NOCAPS_DOMAINS = ['in-domain', 'near-domain', 'out-domain'] as const;

const path = z.string().min(1);
const files = {
  path: path.describe('the file'),
  images: path
    .optional()
    .describe("folder of the image files; unless given, the folder images next to the file, else the file's folder"),
};
const splitFile = path.optional().describe('file with the names of the images to take, one per line');
const split = z.enum(KARPATHY_SPLITS);

const FormattedSource = z.discriminatedUnion('format', [
  z.strictObject({ format: z.literal('coco'), ...files }).describe('a COCO captions file'),
  z
    .strictObject({
      format: z.literal('nocaps'),
      ...files,
      domain: z.enum(NOCAPS_DOMAINS).optional().describe('take this domain only'),
    })
    .describe('a nocaps file'),
  z
    .strictObject({
      format: z.literal('karpathy'),
      ...files,
      split: z.union([split, z.array(split).min(1)]).describe('the split to take, or several'),
    })
    .describe('one of the Karpathy split files, such as dataset_coco.json'),
  z
    .strictObject({ format: z.literal('flickr8k'), ...files, splitFile })
    .describe('Flickr8k.token.txt, a caption a line'),
  z
    .strictObject({ format: z.literal('csv'), ...files, splitFile })
    .describe('a table with the columns image and caption'),
  z
    .strictObject({ format: z.literal('sidecar'), path: path.describe('the folder') })
    .describe('images, each with a text file of the same name next to it'),
  z
    .strictObject({
      format: z.literal('webdataset'),
      path: z.union([path, z.array(path).min(1)]).describe('a shard, a folder of shards, or a list of shards'),
    })
    .describe('WebDataset shards'),
]);
export type FormattedSource = z.output<typeof FormattedSource>;

/**
 * Where images and their captions are: a path if the format can be detected, otherwise the format and its options.
 * `docs/data-formats.md` has an example of each.
 */
export const CaptionSource = z.union([path, FormattedSource]);
export type CaptionSource = z.output<typeof CaptionSource>;

/** The keys of an experiment that name captions. */
export const captionKeys = {
  captions: CaptionSource.describe('images and their captions: a path, or the format and what it needs'),
  images: path.optional().describe('folder of the image files, where captions is a path'),
  maxBrokenShare: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'share of the images that may be missing or unreadable; they are left out and reported; none unless given',
    ),
  maxImagePixels,
};

/** Rejects a second image folder for one source. */
export function refuseImagesTwice(
  { captions, images }: { readonly captions: CaptionSource; readonly images?: string | undefined },
  context: z.RefinementCtx,
): void {
  if (images === undefined || typeof captions === 'string') return;
  context.addIssue({
    code: 'custom',
    path: ['images'],
    message: "expected the image folder inside 'captions' when 'captions' names a format: move 'images' there",
  });
}

/** A source on the command line: a path, or a source's keys as a YAML mapping, `{format: karpathy, ...}`. */
export function captionSourceArgument(text: string): CaptionSource {
  if (!text.startsWith('{')) return text;
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new ConfigError(`'${text}': not YAML (${(error as Error).message.split('\n')[0]})`);
  }
  return parseConfig(value, FormattedSource, `'${text}'`);
}

/** The name of a source in messages. */
export function captionSourceName(source: CaptionSource): string {
  const where = typeof source === 'string' ? source : source.path;
  return typeof where === 'string' ? where : where.length === 1 ? where[0] : `${where[0]} and ${where.length - 1} more`;
}

/** The source with its paths resolved against `root`. */
export function resolveSource<S extends CaptionSource>(source: S, root: string): S;
export function resolveSource(source: CaptionSource, root: string): CaptionSource {
  if (typeof source === 'string') return resolve(root, source);
  if (source.format === 'webdataset') {
    const shards = source.path;
    return {
      ...source,
      path: typeof shards === 'string' ? resolve(root, shards) : shards.map((s) => resolve(root, s)),
    };
  }
  const resolved = { ...source, path: resolve(root, source.path) };
  if ('images' in resolved && resolved.images !== undefined) resolved.images = resolve(root, resolved.images);
  if ('splitFile' in resolved && resolved.splitFile !== undefined)
    resolved.splitFile = resolve(root, resolved.splitFile);
  return resolved;
}
