import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { printable, UserError } from '#src/errors';
import { systemErrorWords } from '#src/storage';
import { isImageName, isOtherImageName } from './imageExtensions.js';
import type { PassedOver } from './passedOver.js';

/** A file below a folder. */
export interface WalkedFile {
  readonly path: string;
  /** Its path from the folder, with slashes. */
  readonly key: string;
}

/** What a folder and those below it hold, in path order. */
export interface FolderImages {
  readonly images: readonly WalkedFile[];
  /** Text files by their key without extension, in lower case `.txt` or upper. */
  readonly texts: ReadonlyMap<string, WalkedFile>;
  /** Names of the folders directly in it. */
  readonly folders: readonly string[];
  /** Everything else, except hidden files, files of the operating system, and texts beside an image. */
  readonly passedOver: readonly PassedOver[];
}

/** Far more than data sets have: a walk that gets there has gone astray. */
const MAX_DEPTH = 64;
const MAX_ENTRIES = 20_000_000;

/** Files that systems put into folders of images. */
const SYSTEM_FILES: readonly string[] = ['thumbs.db', 'desktop.ini', 'ehthumbs.db'];

/** A folder's entries as read, by name; folders hold theirs. */
interface Folder {
  readonly path: string;
  /** Where it really lies. */
  readonly real: string;
  readonly key: string;
  readonly depth: number;
  readonly entries: Map<string, Folder | 'file' | PassedOver>;
}

/**
 * The images below a folder. Hidden files and folders are skipped. A folder is read once, whatever links lead to it, under
 * its own name if it lies below `folder`, otherwise under that of the first link.
 *
 * @throws UserError when the folder cannot be read, or folders lie deeper than any data set
 */
export function walkImages(folder: string): FolderImages {
  const seen = new Set<string>();
  const links: { readonly parent: Folder; readonly name: string }[] = [];
  let numEntries = 0;

  const readFolder = (path: string, key: string, depth: number, linkedFrom?: string): Folder | PassedOver => {
    if (depth > MAX_DEPTH) throw new UserError(`${path}: expected at most ${MAX_DEPTH} folders inside one another`);
    let entries: Dirent[];
    let real: string;
    try {
      entries = readdirSync(path, { withFileTypes: true });
      real = realpathSync(path);
    } catch (error) {
      return { name: `${key}/`, reason: systemErrorWords(error) };
    }
    if (seen.has(real)) return { name: `${key}/`, reason: 'read already under another name' };
    if (linkedFrom !== undefined && isWithin(linkedFrom, real)) {
      return { name: `${key}/`, reason: 'a link to a folder above it' };
    }
    seen.add(real);
    numEntries += entries.length;
    if (numEntries > MAX_ENTRIES) throw new UserError(`${folder}: expected at most ${MAX_ENTRIES} files, got more`);
    const self: Folder = { path, real, key, depth, entries: new Map() };
    for (const entry of entries.sort(byName)) {
      const { name } = entry;
      if (name.startsWith('.') || SYSTEM_FILES.includes(name.toLowerCase())) continue;
      const found = entry.isSymbolicLink() ? linkTarget(join(path, name)) : entry;
      if (typeof found === 'string') {
        // A link that once led to an image is an image that is missing, which reading refuses.
        const missing = isImageName(name) && found !== LINK_TO_ITSELF;
        self.entries.set(name, missing ? 'file' : { name: keyIn(key, name), reason: found });
      } else if (found.isDirectory()) {
        if (entry.isSymbolicLink()) links.push({ parent: self, name });
        else self.entries.set(name, readFolder(join(path, name), keyIn(key, name), depth + 1));
      } else {
        const reason = 'not a regular file';
        self.entries.set(name, found.isFile() ? 'file' : { name: keyIn(key, name), reason });
      }
    }
    return self;
  };

  const root = readFolder(folder, '', 0);
  if (!('entries' in root)) throw new UserError(`image folder ${printable(folder)}: ${root.reason}`);
  // Real folders were read first, so that they keep their own names. Links found on the way join the end.
  for (const { parent, name } of links) {
    const { path, key, depth, real } = parent;
    parent.entries.set(name, readFolder(join(path, name), keyIn(key, name), depth + 1, real));
  }
  return inOrder(root);
}

/** Folders in the order of their entries' names, which do not depend on the locale. */
function inOrder(root: Folder): FolderImages {
  const images: WalkedFile[] = [];
  const texts = new Map<string, WalkedFile>();
  const passedOver: PassedOver[] = [];
  const stems = new Set<string>();
  const visit = ({ path, key, entries }: Folder): void => {
    for (const name of [...entries.keys()].sort()) {
      const entry = entries.get(name);
      const file = { path: join(path, name), key: keyIn(key, name) };
      if (entry === 'file') {
        const stem = stemOf(file.key);
        if (isImageName(name)) {
          images.push(file);
          stems.add(stem);
        } else if (extname(name).toLowerCase() === '.txt') texts.set(stem, file);
        else if (isOtherImageName(name)) passedOver.push({ name: file.key, reason: 'cannot be decoded here' });
        else passedOver.push({ name: file.key });
      } else if (entry !== undefined && 'entries' in entry) visit(entry);
      else if (entry !== undefined) passedOver.push(entry);
    }
  };
  visit(root);
  const stray = [...texts].filter(([stem]) => !stems.has(stem)).map(([, { key }]) => ({ name: key }));
  const folders = [...root.entries].filter(([, entry]) => typeof entry === 'object' && 'entries' in entry);
  return {
    images,
    texts,
    folders: folders.map(([name]) => name).sort(),
    passedOver: [...passedOver, ...stray],
  };
}

/** A name without its extension. */
export function stemOf(key: string): string {
  return key.slice(0, key.length - extname(key).length);
}

function byName(a: Dirent, b: Dirent): number {
  return a.name < b.name ? -1 : 1;
}

const LINK_TO_ITSELF = 'a link to itself';

/** What a link leads to, or why it leads nowhere. */
function linkTarget(path: string): Stats | string {
  try {
    return statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ELOOP' ? LINK_TO_ITSELF : code === 'ENOENT' ? 'a link to nothing' : systemErrorWords(error);
  }
}

function isWithin(path: string, folder: string): boolean {
  return `${path}${sep}`.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

function keyIn(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
