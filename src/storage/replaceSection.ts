import { UserError } from '#src/errors';
import { writeFileAtomic } from './atomicWrite.js';
import { readText } from './readFile.js';

/**
 * Replaces the generated section of a hand-written file, between the lines `<!-- name:start -->` and `<!-- name:end -->`.
 *
 * @throws UserError when one of the lines is missing
 */
export function replaceSection(path: string, name: string, text: string): void {
  const before = readText(path, 'document');
  const [start, end] = [`<!-- ${name}:start -->\n`, `<!-- ${name}:end -->`];
  const [first, last] = [before.indexOf(start), before.indexOf(end)];
  if (first === -1 || last < first) throw new UserError(`${path}: expected the lines ${start.trim()} and ${end} in it`);
  writeFileAtomic(path, before.slice(0, first + start.length) + text + before.slice(last));
}
