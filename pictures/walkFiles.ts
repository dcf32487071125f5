import { readdirSync } from 'node:fs';
import { ConfigError } from '#src/errors';
import { systemErrorWords } from '#src/storage';

/**
 * The files below a folder with one of these extensions, as paths from it with slashes, sorted.
 *
 * @param remedy what to do where there are none, for the message
 * @throws ConfigError
 */
export function walkFiles(folder: string, extensions: readonly string[], remedy: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    throw new ConfigError(`cannot read ${folder}: ${systemErrorWords(error)}; ${remedy}`);
  }
  const files = names
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => extensions.some((extension) => name.toLowerCase().endsWith(extension)))
    .sort();
  if (files.length === 0) throw new ConfigError(`${folder}: expected files with ${extensions.join(', ')}; ${remedy}`);
  return files;
}
