import type { TonedName } from './skinTones.js';

/** Members of a family or a couple, in names such as `family-man-woman-girl`. */
const MEMBERS = /^(family|kiss|couple-with-heart)((?:-(?:man|woman|person|girl|boy|adult|child))+)$/;
const HAIR = /^(man|woman|person|adult)-(bald|beard|(?:red|curly|white|blond|blonde)-hair)$/;
const FLAG = /^flag-(?:for-)?(?:flag-)?(.+)$/;

/** Words that stay in lower case inside the name of a place. */
const SMALL: ReadonlySet<string> = new Set(['and', 'of', 'the', 'da', 'in']);

/** How words are written, which a name in lower case with hyphens does not tell. */
const SPELLING: readonly (readonly [RegExp, string | ((found: string) => string)])[] = [
  [/\boclock\b/g, "o'clock"],
  // A second drawing of the same: `link2`.
  [/(?<=[a-z]{2})\d$/g, ''],
  [/\b(wo)?(man|men)s\b/g, "$1$2's"],
  [/\bt shirt\b/g, 't-shirt'],
  [/\bjack o lantern\b/g, 'jack-o-lantern'],
  [/\be mail\b/g, 'e-mail'],
  [/\bx ray\b/g, 'x-ray'],
  [/\byo yo\b/g, 'yo-yo'],
  [/\bnon potable\b/g, 'non-potable'],
  [/\b(blond|red|curly|white) haired\b/g, '$1-haired'],
  [/\bmrs claus\b/g, 'Mrs. Claus'],
  [/\bmx claus\b/g, 'Mx Claus'],
  [/\bstatue of liberty\b/g, 'Statue of Liberty'],
  [/\b(abcd?|ai|atm|cd|dvd|id|ok|sos|tv|ufo|un|us|vr|wc)\b/g, (word) => word.toUpperCase()],
  [
    /\b(africa|america|american|asia|australia|buddhist|chinese|christmas|david|dutch|english|europe|european|french|fuji|german|hindu|japan|japanese|latin|russian|santa|tokyo|turkish)\b/g,
    capitalized,
  ],
  [/\bmount Fuji\b/g, 'Mount Fuji'],
  [
    /^(aries|taurus|gemini|cancer|leo|virgo|libra|scorpio|sagittarius|capricorn|aquarius|pisces|ophiuchus)$/g,
    capitalized,
  ],
];

/**
 * An icon's name as plain English, in the way in which the Unicode CLDR names characters: `woman-firefighter` with a dark skin tone is
 * `woman firefighter: dark skin tone`, `flag-isle-of-man` is `flag: Isle of Man`.
 */
export function iconCaption({ base, tones }: TonedName): string {
  const { head, details } = partsOf(base);
  const spokenTones = tones.map((tone) => `${tone} skin tone`);
  const all = HAIR.test(base) ? [...spokenTones, ...details] : [...details, ...spokenTones];
  return all.length === 0 ? head : `${head}: ${all.join(', ')}`;
}

/** What stands before the colon and behind it. */
function partsOf(base: string): { readonly head: string; readonly details: readonly string[] } {
  const [, group, members] = MEMBERS.exec(base) ?? [];
  if (group !== undefined) return { head: spelled(group), details: members.slice(1).split('-') };
  const [, person, hair] = HAIR.exec(base) ?? [];
  if (person !== undefined) return { head: person, details: [spelled(hair.replace('blonde', 'blond'))] };
  const [, key] = /^keycap-(.+)$/.exec(base) ?? [];
  if (key !== undefined) return { head: 'keycap', details: [spelled(key)] };
  const [, place] = FLAG.exec(base) ?? [];
  if (place === undefined || place.startsWith('in-')) return { head: spelled(base), details: [] };
  // `flag-for-white-flag` of Emoji One.
  return place.endsWith('-flag')
    ? { head: spelled(place), details: [] }
    : { head: 'flag', details: [placeName(place)] };
}

function spelled(name: string): string {
  return SPELLING.reduce((text, [pattern, to]) => text.replace(pattern, to as string), name.replaceAll('-', ' '));
}

function placeName(place: string): string {
  const words = place.split('-').map((word, i) => {
    if (word === 'us') return 'U.S.';
    if (word === 'st') return 'St.';
    if (word === 'sar') return 'SAR';
    return i > 0 && SMALL.has(word) ? word : capitalized(word);
  });
  return words.join(' ');
}

function capitalized(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** What two spellings of a name have in common: its letters and digits. */
export function nameKey(caption: string): string {
  return caption.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}
