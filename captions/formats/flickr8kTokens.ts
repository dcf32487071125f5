import { describeValue } from '#src/config';
import { UserError } from '#src/errors';
import { textLines } from '#src/storage';
import { isBlank } from './captionText.js';
import { addCaption, type NamedCaptions } from './namedCaptions.js';

/** Whether a line belongs to a Flickr8k token file: `name.jpg#0`, a tab, a caption. */
export function isTokenLine(line: string): boolean {
  const { key, caption } = tokenFields(line);
  return caption !== undefined && nameOf(key) !== undefined;
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
  for (const [i, line] of textLines(text).entries()) {
    if (isBlank(line)) continue;
    const where = `${path}: line ${i + 1}`;
    const { key, caption } = tokenFields(line);
    if (caption === undefined) {
      throw new UserError(`${where}: expected name#number, a tab and a caption, got ${describeValue(line)}`);
    }
    const name = nameOf(key);
    if (name === undefined) throw new UserError(`${where}: image: expected name#number, got ${describeValue(key)}`);
    if (keys.has(key))
      throw new UserError(`${where}: image: expected every name#number once, got ${describeValue(key)} again`);
    keys.add(key);
    addCaption(captions, name, caption, where);
  }
  return captions;
}

/** What stands before and behind the first tab. */
function tokenFields(line: string): { key: string; caption: string | undefined } {
  const tab = line.indexOf('\t');
  return tab < 0
    ? { key: line.trim(), caption: undefined }
    : { key: line.slice(0, tab).trim(), caption: line.slice(tab + 1) };
}

/** The image's name of `name#number`. */
function nameOf(key: string): string | undefined {
  const hash = key.lastIndexOf('#');
  return hash >= 0 && /^\d+$/.test(key.slice(hash + 1)) ? key.slice(0, hash) : undefined;
}
