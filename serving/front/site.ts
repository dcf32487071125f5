import { constants, type Dirent, type ReadStream, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { UserError } from '#src/errors';
import { systemErrorWords } from '#src/storage';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

const MAX_DEPTH = 16;
const MAX_FILES = 10_000;

/** A file of a site, opened. */
export interface SiteFile {
  readonly type: string;
  readonly bytes: number;
  /** Changes with the file. */
  readonly tag: string;
  stream(): ReadStream;
  close(): Promise<void>;
}

/** The files of a folder by the path that a browser asks for. */
export interface Site {
  /** Undefined for every path that was not a file of the folder when the server began. */
  open(path: string): Promise<SiteFile | undefined>;
}

/**
 * Lists the regular files below a folder: nothing else can be asked for, whatever a path looks like. Hidden files and links are
 * left out, `/` means `/index.html`.
 *
 * @throws UserError for a folder that cannot be read, or without an index.html
 */
export function openSite(folder: string): Site {
  const files = new Map<string, string>();
  const walk = (path: string, key: string, depth: number): void => {
    if (depth > MAX_DEPTH)
      throw new UserError(`--site ${folder}: expected at most ${MAX_DEPTH} folders in one another`);
    for (const entry of entriesOf(path, folder)) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) walk(join(path, entry.name), `${key}/${entry.name}`, depth + 1);
      if (!entry.isFile()) continue;
      files.set(`${key}/${entry.name}`, join(path, entry.name));
      if (entry.name === 'index.html') files.set(`${key}/`, join(path, entry.name));
      if (files.size > MAX_FILES)
        throw new UserError(`--site ${folder}: expected at most ${MAX_FILES} files, got more`);
    }
  };
  walk(folder, '', 0);
  if (!files.has('/')) throw new UserError(`--site ${folder}: expected an index.html in it, got none`);
  return {
    open: async (asked) => {
      const path = files.get(asked);
      if (path === undefined) return undefined;
      try {
        // No link that took the place of a file is followed, no pipe is waited for.
        const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
        const status = await handle.stat();
        if (!status.isFile()) {
          await handle.close();
          return undefined;
        }
        return {
          type: TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream',
          bytes: status.size,
          tag: `"${status.size.toString(36)}-${Math.round(status.mtimeMs).toString(36)}"`,
          stream: () => handle.createReadStream({ start: 0, end: Math.max(0, status.size - 1) }),
          close: () => handle.close(),
        };
      } catch {
        // It is gone.
        return undefined;
      }
    },
  };
}

function entriesOf(path: string, folder: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    throw new UserError(`cannot read --site ${folder}: ${systemErrorWords(error)}`);
  }
}
