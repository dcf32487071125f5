import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseFile } from '#src/config';
import { parseJson, readBytes, readJson, sha256 } from '#src/storage';
import type { PictureOrigin } from '../picture.js';
import { iconSvg, Transform } from './iconSvg.js';

const Size = { left: z.number(), top: z.number(), width: z.number().positive(), height: z.number().positive() };
const Icon = z.object({ body: z.string(), hidden: z.boolean().optional(), ...z.object(Size).partial().shape });
const Alias = z.object({ parent: z.string(), hidden: z.boolean().optional(), ...Transform.shape });
/** Names become names of files. */
const Name = z.string().regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/);
const Icons = z.object({
  icons: z.record(Name, Icon),
  aliases: z.record(Name, Alias).default({}),
  ...z.object(Size).partial().shape,
});
const Info = z.object({
  name: z.string(),
  author: z.object({ name: z.string(), url: z.string().optional() }),
  license: z.object({ title: z.string(), spdx: z.string().optional(), url: z.string().optional() }),
});
const Metadata = z.object({ categories: z.record(z.string(), z.array(z.string())).default({}) });
const Characters = z.record(z.string(), z.string());

/** One drawing of an icon set. */
export interface IconDrawing {
  readonly style: string;
  readonly icon: string;
  /** The icon's name, then its other names. */
  readonly names: readonly string[];
  /** Code points of the character that it draws, in hexadecimal, without variation selectors. */
  readonly character?: string | undefined;
  /** Such as `Food & Drink`. */
  readonly category?: string | undefined;
  svg(): Buffer;
}

/** A set of emoji in one style. */
export interface IconPackage {
  readonly style: string;
  readonly origin: PictureOrigin;
  readonly drawings: readonly IconDrawing[];
  /** Of what was read. */
  readonly digest: string;
}

/** The folder of an installed package of icons; undefined where none of the folders has it. */
export function findIconPackage(style: string, nodeModules: readonly string[]): string | undefined {
  return nodeModules.map((folder) => join(folder, '@iconify-json', style)).find((path) => existsSync(path));
}

/**
 * Reads a set in the Iconify JSON format (https://iconify.design/docs/types/iconify-json.html). Retired icons are passed over; other
 * names of an icon are names, mirrored ones are drawings.
 *
 * @throws UserError naming file and field
 */
export function readIconPackage(style: string, folder: string): IconPackage {
  const read = <T>(name: string, schema: z.ZodType<T>): T => {
    const path = join(folder, name);
    return parseFile(schema, readJson(path, 'icons'), path);
  };
  const path = join(folder, 'icons.json');
  const bytes = readBytes(path, 'icons');
  const set = parseFile(Icons, parseJson(bytes, path, 'icons'), path);
  const info = read('info.json', Info);
  const { version } = read('package.json', z.object({ version: z.string() }));
  const characters = new Map<string, string>();
  for (const [codes, icon] of Object.entries(
    existsSync(join(folder, 'chars.json')) ? read('chars.json', Characters) : {},
  )) {
    const character = codes.toLowerCase().replaceAll(/-fe0f/g, '');
    if (!characters.has(icon)) characters.set(icon, character);
  }
  const categories = new Map<string, string>();
  if (existsSync(join(folder, 'metadata.json'))) {
    for (const [category, icons] of Object.entries(read('metadata.json', Metadata).categories)) {
      for (const icon of icons) categories.set(icon, category);
    }
  }
  const namesOf = new Map(Object.keys(set.icons).map((icon) => [icon, [icon]]));
  const drawings: IconDrawing[] = [];
  const draw = (icon: string, parent: string, transform: Transform): void => {
    const names = namesOf.get(icon) ?? [icon];
    drawings.push({
      ...{ style, icon, names },
      character: names.map((name) => characters.get(name)).find((known) => known !== undefined),
      category: names.map((name) => categories.get(name)).find((known) => known !== undefined),
      svg: () => iconSvg({ ...set, ...set.icons[parent] }, transform),
    });
  };
  const aliases = Object.entries(set.aliases).filter(([, { parent, hidden }]) => !hidden && parent in set.icons);
  const isDrawing = (transform: Transform): boolean => Boolean(transform.hFlip || transform.vFlip || transform.rotate);
  for (const [alias, { parent, ...transform }] of aliases) if (!isDrawing(transform)) namesOf.get(parent)?.push(alias);
  for (const [icon, { hidden }] of Object.entries(set.icons)) if (!hidden) draw(icon, icon, {});
  for (const [alias, { parent, ...transform }] of aliases) if (isDrawing(transform)) draw(alias, parent, transform);
  const { author, license } = info;
  return {
    style,
    origin: {
      title: info.name,
      package: `@iconify-json/${style}`,
      version,
      authors: author.name,
      licence: [license.spdx ?? license.title, license.url].filter((part) => part !== undefined).join(', '),
      url: author.url ?? '',
    },
    drawings: drawings.sort((a, b) => (a.icon < b.icon ? -1 : 1)),
    digest: sha256(bytes),
  };
}
