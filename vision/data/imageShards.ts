import { basename, join } from 'node:path';
import { z } from 'zod';
import { parseFile } from '#src/config';
import { imageMember, readShardText, readWebDatasetSamples, type ShardSample } from '#src/data';
import { ConfigError, UserError } from '#src/errors';
import { decodeText, parseJson } from '#src/storage';
import { checkedCells, createCells } from './labelGrid.js';
import type { ImageEntry, LabelGrid, LabelledImages, LabelRequirement } from './labelledImages.js';

const name = z.string('a string').regex(/\S/, 'a name that is not blank');
const labelsJson = z.object(
  {
    cls: z.union([z.int(), name], 'a name or a whole number').nullish(),
    attributes: z.array(name, 'an array of names').nullish(),
    cells: z.unknown().optional(),
  },
  'an object',
);

/** The labels of one sample; missing fields are absent. */
interface SampleLabels {
  readonly where: string;
  readonly className?: string;
  readonly attributes?: readonly string[];
  readonly cells?: unknown;
}

/**
 * Images of WebDataset shards with the labels that `requirement` asks for. A class is the text of `.cls`, otherwise `cls` in
 * `.json`; attributes are the names in `attributes` of `.json`, cells the integers in its `cells`. Classes and attributes are
 * indexed in name order, integers by value. Images are read directly from the archive.
 *
 * @param paths shards, or folders of shards (in name order)
 * @param grid what the numbers in `cells` mean
 * @throws UserError naming shard, member and field; ConfigError for cells without a grid
 */
export function readImageShards(
  paths: readonly string[],
  requirement: LabelRequirement,
  grid: LabelGrid | undefined,
): LabelledImages {
  if (requirement === 'grid' && grid === undefined) {
    throw new ConfigError(
      "data.grid: the objective needs labels per grid cell: expected 'grid' next to the path, got none",
    );
  }
  const entries: ImageEntry[] = [];
  const labels: SampleLabels[] = [];
  for (const sample of readWebDatasetSamples(paths)) {
    const image = imageMember(sample);
    if (image === undefined) {
      if (!sample.members.has('cls')) continue;
      throw new UserError(`${sample.shard}: '${sample.key}': expected an image with the class, got none`);
    }
    entries.push({ ...image.source, key: `${basename(sample.shard)}/${image.name}` });
    if (requirement !== 'none') labels.push(labelsOf(sample));
  }
  if (entries.length === 0) throw new UserError(`${paths[0]}: expected shards with at least one image, got none`);
  if (requirement === 'none') return { entries };
  return {
    entries,
    ...classesOf(labels, requirement === 'class'),
    ...attributesOf(labels, requirement === 'attributes'),
    ...(requirement === 'grid' && grid ? cellsOf(labels, grid) : {}),
  };
}

function labelsOf(sample: ShardSample): SampleLabels {
  const text = readShardText(sample, 'cls', 'class');
  const json = readShardText(sample, 'json', 'labels');
  const fields = json && parseFile(labelsJson, parseJson(json.bytes, json.path, 'labels'), json.path);
  const cls = text ? classText(text) : fields?.cls;
  return {
    where: json?.path ?? join(sample.shard, `${sample.key}.json`),
    ...(cls == null ? {} : { className: String(cls).trim() }),
    ...(fields?.attributes ? { attributes: fields.attributes.map((one) => one.trim()) } : {}),
    ...(fields && 'cells' in fields ? { cells: fields.cells } : {}),
  };
}

function classText({ bytes, path }: { readonly bytes: Buffer; readonly path: string }): string {
  const text = decodeText(bytes, path).trim();
  if (text === '') throw new UserError(`${path}: expected the name or number of a class, got an empty file`);
  if (/[\r\n]/.test(text)) throw new UserError(`${path}: expected one class, got several lines`);
  return text;
}

/** Class names in order, and the class of each image; nothing if an image has none and classes are not required. */
function classesOf(labels: readonly SampleLabels[], needed: boolean): Pick<LabelledImages, 'classNames' | 'labels'> {
  const names = labels.map(({ className }) => className);
  const without = names.indexOf(undefined);
  if (without >= 0) {
    if (!needed) return {};
    throw new UserError(
      `${labels[without].where.replace(/\.json$/, '.cls')}: the objective needs a class per image: expected this file, or 'cls' in .json; got neither`,
    );
  }
  const classNames = inOrder(names as string[]);
  const numbers = new Map(classNames.map((one, i) => [one, i]));
  return { classNames, labels: Int32Array.from(names as string[], (one) => numbers.get(one) as number) };
}

/** Attribute names in order, and 0 or 1 for each image; nothing if an image has none and attributes are not required. */
function attributesOf(
  labels: readonly SampleLabels[],
  needed: boolean,
): Pick<LabelledImages, 'attributeNames' | 'attributes'> {
  const without = labels.find(({ attributes }) => attributes === undefined);
  if (without !== undefined) {
    if (!needed) return {};
    throw new UserError(
      `${without.where}: attributes: the objective needs attributes per image: expected an array of names, got nothing`,
    );
  }
  const attributeNames = inOrder(labels.flatMap(({ attributes }) => attributes ?? []));
  if (attributeNames.length === 0) {
    if (!needed) return {};
    throw new UserError(`${labels[0].where}: attributes: expected a name in at least one image, got none`);
  }
  const numbers = new Map(attributeNames.map((one, i) => [one, i]));
  const attributes = new Uint8Array(labels.length * attributeNames.length);
  for (const [i, { attributes: own = [] }] of labels.entries()) {
    for (const one of own) attributes[i * attributeNames.length + (numbers.get(one) as number)] = 1;
  }
  return { attributeNames, attributes };
}

function cellsOf(labels: readonly SampleLabels[], grid: LabelGrid): Pick<LabelledImages, 'grid' | 'cells'> {
  const cellsPerImage = grid.rows * grid.cols * grid.attributes.length;
  const cells = createCells(labels.length, grid, 'data.grid');
  for (const [i, { where, cells: own }] of labels.entries()) {
    cells.set(checkedCells(own, grid, `${where}: cells`), i * cellsPerImage);
  }
  return { grid, cells };
}

/** Distinct names, sorted by code unit; integers by value. */
function inOrder(names: readonly string[]): string[] {
  const once = [...new Set(names)];
  if (once.every((one) => /^-?\d{1,15}$/.test(one))) return once.sort((a, b) => Number(a) - Number(b));
  return once.sort();
}
