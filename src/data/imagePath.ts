import { existsSync } from 'node:fs';
import { isAbsolute, join, normalize, relative, resolve } from 'node:path';
import { describeValue } from '#src/config';
import { UserError } from '#src/errors';

/**
 * The path of an image that a file names: inside the image folder, links followed wherever they lead. A backslash separates
 * folders, as in files written on Windows, unless a file has it in its name; accents may be composed in the one and decomposed
 * in the other. An absolute path is taken where it lies inside.
 *
 * @param where the entry that names it, for the error message: `captions.json: images[3].file_name`
 * @throws UserError for a name that leads out of the folder, a URL, or no file name
 */
export function imagePath(folder: string, name: string, where: string): string {
  const refuse = (what: string, remedy: string): UserError =>
    new UserError(`${where}: expected an image inside ${folder}, got ${what}${describeValue(name)}; ${remedy}`);
  if (/^(?:[a-z][a-z\d+.-]+:\/\/|data:)/i.test(name)) {
    throw refuse('the URL ', "download the images, name the files, and set 'images' to their folder");
  }
  if (/^\.?$|[\\/]$/.test(name)) throw refuse('', 'give the name of a file');
  const own = name.includes('\\') && !existsSync(join(folder, name)) ? name.replaceAll('\\', '/') : name;
  const inside = normalize(isAbsolute(own) ? relative(resolve(folder), own) : own);
  if (/^[a-z]:[\\/]/i.test(own) || isAbsolute(inside)) throw refuse('the absolute path ', OUTSIDE);
  if (/^\.\.(?:[\\/]|$)/.test(inside)) throw refuse(isAbsolute(own) ? 'the absolute path ' : 'the path ', OUTSIDE);
  if (inside === '.' || inside === '') throw refuse('', 'give the name of a file');
  return asOnDisk(isAbsolute(own) ? normalize(own) : join(folder, inside));
}

/** The path with its accents composed or decomposed, if only a file of that name exists: systems and archives change them. */
function asOnDisk(path: string): string {
  const others = ['NFC', 'NFD'].map((form) => path.normalize(form)).filter((other) => other !== path);
  return others.length === 0 || existsSync(path) ? path : (others.find((other) => existsSync(other)) ?? path);
}

const OUTSIDE = "set 'images' to a folder that contains it";
