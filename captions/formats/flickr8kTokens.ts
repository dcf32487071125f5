import { describeValue } from '#src/config';
import { UserError } from '#src/errors';
import { addCaption, type NamedCaptions } from './namedCaptions.js';

/** Whether a line belongs to a Flickr8k token file: `name.jpg#0`, a tab, a caption. */
export function isTokenLine(line: string): boolean {
  return /#\d+$/.test(line.split('\t', 1)[0]) && line.includes('\t');
}

/**
 * Captions of a token file of Flickr8k or Flickr30k (`Flickr8k.token.txt`): each line is the image's name, `#` and the
 * caption's number, a tab, and the caption.
 *
 * @throws UserError naming file, line and field
 */
export function parseFlickr8kTokens(text: string, path: string): NamedCaptions {
  const captions: NamedCaptions = new Map();
  const keys = new Set<string>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const where = `${path}: line ${i + 1}`;
    const tab = line.indexOf('\t');
    if (tab < 0) throw new UserError(`${where}: expected name#number, a tab and a caption, got ${describeValue(line)}`);
    const key = line.slice(0, tab).trim();
    const hash = key.lastIndexOf('#');
    if (hash < 0 || !/^\d+$/.test(key.slice(hash + 1))) {
      throw new UserError(`${where}: image: expected name#number, got ${describeValue(key)}`);
    }
    if (keys.has(key))
      throw new UserError(`${where}: image: expected every name#number once, got ${describeValue(key)} again`);
    keys.add(key);
    addCaption(captions, key.slice(0, hash), line.slice(tab + 1).trim(), where);
  }
  return captions;
}
