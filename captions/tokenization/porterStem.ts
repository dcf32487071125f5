/** Steps 2 and 3: the ending and its replacement after a stem with a measure above 0. */
const DERIVATIONS: readonly (readonly (readonly [ending: string, replacement: string])[])[] = [
  `ational:ate tional:tion enci:ence anci:ance izer:ize abli:able alli:al entli:ent eli:e ousli:ous ization:ize
  ation:ate ator:ate alism:al iveness:ive fulness:ful ousness:ous aliti:al iviti:ive biliti:ble`,
  'icate:ic ative: alize:al iciti:ic ical:ic ful: ness:',
].map((step) => longestFirst(step.split(/\s+/).map((pair) => pair.split(':') as [string, string])));

/** Step 4: endings that are removed after a stem with a measure above 1. */
const ENDINGS = longestFirst(
  'al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize'
    .split(' ')
    .map((ending): [string, string] => [ending, '']),
);

function longestFirst(pairs: [string, string][]): [string, string][] {
  return pairs.sort(([a], [b]) => b.length - a.length);
}

/**
 * The stem of a lower-case English word; words of one or two letters, or with characters other than a to z, are returned
 * unchanged.
 *
 * Source: Porter 1980, An algorithm for suffix stripping.
 */
export function porterStem(word: string): string {
  if (!/^[a-z]{3,}$/.test(word)) return word;
  let stem = withoutPlural(word);
  stem = withoutPast(stem);
  if (stem.endsWith('y') && hasVowel(stem.slice(0, -1))) stem = `${stem.slice(0, -1)}i`;
  for (const step of DERIVATIONS) stem = replaceEnding(stem, step, (rest) => measure(rest) > 0);
  stem = replaceEnding(stem, ENDINGS, (rest, ending) => measure(rest) > 1 && (ending !== 'ion' || /[st]$/.test(rest)));
  return withoutFinalE(stem);
}

/** Step 1a. */
function withoutPlural(word: string): string {
  if (/(?:ss|i)es$/.test(word)) return word.slice(0, -2);
  return /[^s]s$/.test(word) ? word.slice(0, -1) : word;
}

/** Step 1b. */
function withoutPast(word: string): string {
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const rest = word.replace(/(?:ed|ing)$/, '');
  if (rest === word || !hasVowel(rest)) return word;
  if (/(?:at|bl|iz)$/.test(rest)) return `${rest}e`;
  if (endsInDoubleConsonant(rest) && !/[lsz]$/.test(rest)) return rest.slice(0, -1);
  return measure(rest) === 1 && endsShort(rest) ? `${rest}e` : rest;
}

/** Step 5. */
function withoutFinalE(word: string): string {
  let stem = word;
  if (stem.endsWith('e')) {
    const rest = stem.slice(0, -1);
    if (measure(rest) > 1 || (measure(rest) === 1 && !endsShort(rest))) stem = rest;
  }
  return stem.endsWith('ll') && measure(stem) > 1 ? stem.slice(0, -1) : stem;
}

/** The longest matching ending decides, even if its condition does not hold. */
function replaceEnding(
  word: string,
  endings: readonly (readonly [string, string])[],
  condition: (rest: string, ending: string) => boolean,
): string {
  const found = endings.find(([ending]) => word.endsWith(ending));
  if (found === undefined) return word;
  const [ending, replacement] = found;
  const rest = word.slice(0, -ending.length);
  return condition(rest, ending) ? rest + replacement : word;
}

/** One letter per letter: `v` for a vowel, `c` for a consonant; y is a vowel after a consonant. */
function shape(word: string): string {
  let result = '';
  for (const letter of word) {
    const vowel = 'aeiou'.includes(letter) || (letter === 'y' && result.endsWith('c'));
    result += vowel ? 'v' : 'c';
  }
  return result;
}

/** The number of vowel-consonant sequences. */
function measure(word: string): number {
  return shape(word).match(/vc/g)?.length ?? 0;
}

function hasVowel(word: string): boolean {
  return shape(word).includes('v');
}

function endsInDoubleConsonant(word: string): boolean {
  return /(.)\1$/.test(word) && shape(word).endsWith('c');
}

/** Whether a stem ends in consonant, vowel, consonant, and the last one is not w, x or y. */
function endsShort(word: string): boolean {
  return shape(word).endsWith('cvc') && !/[wxy]$/.test(word);
}
