import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

export type Colour = [number, number, number];

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'tokenfuse-images-'));
}

/** Writes an image of one colour; the extension decides the format. */
export async function writeImage(path: string, [r, g, b]: Colour, size = 8): Promise<string> {
  mkdirSync(dirname(path), { recursive: true });
  await sharp({ create: { width: size, height: size, channels: 3, background: { r, g, b } } }).toFile(path);
  return path;
}

/** Writes raw pixels, row by row, as a PNG. */
export async function writePixels(path: string, width: number, height: number, bytes: number[]): Promise<string> {
  mkdirSync(dirname(path), { recursive: true });
  const channels = (bytes.length / width / height) as 1 | 2 | 3 | 4;
  await sharp(Uint8Array.from(bytes), { raw: { width, height, channels } }).png().toFile(path);
  return path;
}

export function writeJson(path: string, value: unknown): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(value));
  return path;
}

/** The finished caches in a cache folder. */
export function packFolders(cacheDir: string): string[] {
  return readdirSync(cacheDir)
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .map((name) => join(cacheDir, name));
}
