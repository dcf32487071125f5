import type { IsEnglish } from './englishWords.js';
import type { SvgMetadata } from './svgMetadata.js';

/** Words of a caption, at most. */
const MAX_WORDS = 20;
const MAX_TITLE_WORDS = 10;

/** Titles that name a collection or nothing. */
const NO_TITLE =
  /\b(?:clip ?arts?|collection|icon ?sets?|icons|theme|part of|openclipart|untitled|unnamed|svg|inkscape|symbol signs|various|vector|public domain|test|default|copyright|http|www)\b|[@/\\]|\.(?:svg|png|com|org)/i;

/** Descriptions that are about the file. */
const NO_DESCRIPTION =
  /\.\.\.|\b(?:this|image|picture|derived|enjoy|clip ?art|collection|openclipart|inkscape|sodipodi|illustrator|converted|exported|licen[cs]e|public domain|copyright|created|drawn by|made (?:by|with|in|from)|vector|svg|http|www|file|version|my|i|me|please|you|your|hash)\b|[@\\]|\.(?:svg|com|org)/i;

/** What is shown, in lower case without numbers: `Clipart by Ann Lee - red_house 02` is `red house`. */
export function cleanTitle(title: string): string {
  return words(
    title
      .replace(/^clip ?art by [^-]* - /i, '')
      .replace(/[()[\]{}"“”*!?:;,~^|=+<>]+/g, ' ')
      // `pill-button-red`, but not `t-shirt`.
      .replace(/^\S+-\S+-\S+$/, (joined) => joined.replaceAll('-', ' ')),
  );
}

/** The words of a text of words, underscores and numbers. */
function words(text: string): string {
  return text
    .replace(/[_\s]+/g, ' ')
    .replace(/\bb ?(?:and|&|n|\/)? ?w\b/i, ' in black and white')
    .replace(/([a-z])([A-Z][a-z])/g, '$1 $2')
    .replace(/#?\b[a-z]?\d+[a-z]{0,2}\b/gi, ' ')
    .replace(/(?<=[a-z])\d+/gi, ' ')
    .replace(/-+(?=\s|$)|(?<=\s|^)[-.]+|\.+\s*$/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase();
}

/**
 * A file's name in words, without those of its author that names have at their end; '' where it has single letters, which stand
 * for cards and sizes.
 */
export function titleOfFile(file: string, creator: string): string {
  const names = creator.toLowerCase().split(/\W+/).filter(Boolean);
  const parts = words(
    file
      .replace(/^.*\//, '')
      .replace(/\.svg$/i, '')
      .replaceAll('-', ' '),
  ).split(' ');
  while (parts.length > 1 && names.some((name) => name.startsWith(parts[parts.length - 1]))) parts.pop();
  return parts.some((part) => part.length === 1 && part !== 'a') ? '' : parts.join(' ');
}

/** Whether a cleaned title can be a caption: not too short or long, every word English. */
export function isPlainTitle(title: string, isEnglish: IsEnglish): boolean {
  if (NO_TITLE.test(title)) return false;
  const all = title.split(' ');
  return all.length <= MAX_TITLE_WORDS && /[a-z]{3}/.test(title) && all.every((word) => wordIsEnglish(word, isEnglish));
}

/** A description's first sentence, or '' where it is not about the picture or not English. */
export function plainDescription({ description }: SvgMetadata, isEnglish: IsEnglish): string {
  const sentence = description.replace(/(?<=[a-z]{2}[.!?])\s.*$/, '').replace(/[.!]+$/, '');
  const all = sentence.split(/[\s,;:]+/).filter(Boolean);
  if (all.length < 2 || all.length > MAX_WORDS || NO_DESCRIPTION.test(sentence)) return '';
  if (!all.every((word) => /\d/.test(word) || wordIsEnglish(word.toLowerCase(), isEnglish))) return '';
  return sentence.toLowerCase();
}

/** Hyphens and apostrophes join words. */
function wordIsEnglish(word: string, isEnglish: IsEnglish): boolean {
  return word
    .replace(/^['(]|[')]$|'s$/g, '')
    .split(/[-'’&.]/)
    .every((part) => part === '' || isEnglish(part));
}
