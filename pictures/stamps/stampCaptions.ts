import { textLines } from '#src/storage';

/** A longer description is cut to its first sentence. */
const MAX_WORDS = 16;

/** The descriptions of a stamp in one language. */
export interface StampCaptions {
  readonly captions: readonly string[];
  /** The languages that it is described in. */
  readonly known: readonly string[];
}

/**
 * Descriptions of a stamp's text file: English in the first line, then a line `<language>.utf8=…` for each translation. English has
 * those of its regions too, where they differ.
 */
export function stampCaptions(text: string, language: string): StampCaptions {
  const [english = '', ...lines] = textLines(text);
  const byLanguage = new Map([['en', english]]);
  for (const line of lines) {
    const [, name, translation] = /^([\w@]+)\.utf8=(.*)$/.exec(line) ?? [];
    if (name !== undefined) byLanguage.set(name, translation);
  }
  const wanted = [...byLanguage].filter(([name]) => name === language || (language === 'en' && name.startsWith('en_')));
  const captions = wanted
    .map(([, description]) => described(description))
    .filter((caption) => /^[\p{L}\p{N}“‘"'(]/u.test(caption));
  return { captions: [...new Set(captions)], known: [...byLanguage.keys()] };
}

/** Without the full stop at its end. */
function described(text: string): string {
  const plain = text.replace(/\s+/g, ' ').trim();
  const first = plain.split(' ').length > MAX_WORDS ? plain.replace(/(?<=[.!?。])\s.*$/, '') : plain;
  return first.replace(/[.。]$/, '').trim();
}
