import { UserError } from '#src/errors';
import { writeFileAtomic } from './atomicWrite.js';
import { readBytes } from './readFile.js';

/**
 * Puts generated text into a file for people, between its lines `<!-- name:start -->` and `<!-- name:end -->`.
 *
 * @throws UserError when the file lacks one of them
 */
export function replaceSection(path: string, name: string, text: string): void {
  const before = readBytes(path, 'document').toString('utf8');
  const [start, end] = [`<!-- ${name}:start -->\n`, `<!-- ${name}:end -->`];
  const [first, last] = [before.indexOf(start), before.indexOf(end)];
  if (first === -1 || last < first) throw new UserError(`${path}: expected the lines ${start.trim()} and ${end} in it`);
  writeFileAtomic(path, before.slice(0, first + start.length) + text + before.slice(last));
}
