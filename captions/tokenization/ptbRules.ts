/**
 * @file Tokenization rules: the longest match wins, and the first rule on ties. Context that a rule needs after its token
 * counts towards its length. Every rule matches in time bounded by a constant plus the length of the token found at that
 * position, so a caption is tokenized in linear time.
 */

export interface Rule {
  /** Sticky; group 1 is the token if the match is longer than the token. */
  readonly pattern: RegExp;
  /** The output for the token. Default: the token itself. */
  readonly write?: (token: string) => string;
  /** Text that must occur at or after the start for the rule to match. */
  readonly needs?: string;
}

/** Apostrophes, and everything that can stand for one inside a word. */
const APOS = "['\\u0092\\u2019\\u00B4]";
const INNER_APOS = "['\\u0092\\u2019\\u00B4\\u0091\\u2018\\u201B]";
const ALNUM = '[\\p{L}\\p{Nd}]';
const LETTER = '[\\p{L}\\p{M}]';
/** Letters and digits, starting with a letter; a period between letters without a space does not end a word. */
const WORD = `${LETTER}[\\p{L}\\p{M}\\p{Nd}]*(?:[.!?]${LETTER}[\\p{L}\\p{M}\\p{Nd}]*)*`;
const CLITIC = `${APOS}(?:[msdMSD]|[rR][eE]|[vV][eE]|[lL][lL])`;
const HYPHEN = '[-_\\u058A\\u2010\\u2011]';
const THING = `(?:[dDoOlL]${INNER_APOS}${ALNUM})?${ALNUM}+(?:${HYPHEN}(?:[dDoOlL]${INNER_APOS}${ALNUM})?${ALNUM}+)*`;
/** The bound prevents a long list without spaces from being rescanned at each of its words. */
const HYPHENED = `${ALNUM}[\\p{L}\\p{Nd}.,]{0,100}(?:-(?:[A-Za-z](?:\\.[A-Za-z])+\\.|${ALNUM}+))+`;
const ACRONYM = '[A-Za-z](?:\\.[A-Za-z])*\\.';
const END_OF_PHRASE = '[,;:\\u3001]';
const SPACE = '[ \\t\\u00A0\\n]';
/** A label of a host name; limits on label length and count keep the search for a URL short. */
const LABEL = '[\\p{L}\\p{Nd}-]{1,63}\\.';
const URL_PATH = '(?:\\/[^ \\t\\n"<>|()]*[^ \\t\\n"<>|.!?(){},-])?';

/** Abbreviations that keep their period and may end a sentence. */
const FINAL_ABBREVIATIONS = `Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thurs Fri
  Ala Ariz Calif Colo Conn Dak Del Fla Ga Ind Kan Kans Ky La Md Mich Minn Mo Mont Neb Nev Okla Pa Penn Tenn Tex Va Vt
  Wis Wisc Wyo Inc Co Cos Corp Pty Ptys Ppty Pptys Ltd Plc Bancorp Bhd Assn Univ Intl Sys tel est ext sq Jr Sr Bros
  Ed\\.D Ph\\.D Esq etc al seq Bldg`;
/** Abbreviations before a name. */
const ABBREVIATIONS = `Mr Mrs Ms Dr Drs Prof Profs Sen Sens Rep Reps Atty Attys Lt Col Gen Messrs Gov Govs Adm Rev Maj
  Sgt Cpl Pvt Mt Ft Capt St Ste Ave Pres Lieut Hon Brig Comdr Cmdr Pfc Spc Supt Supts Det vs Alex Wm Jos Cie a\\.k\\.a
  cf TREAS Ph Invt Elec Natl Mfg Mtg Dept Blvd Rd`;
/** Abbreviations only when capitalized. */
const CAPITAL_ABBREVIATIONS = 'Ark Ill Mass Miss Ore Wash';
/** Abbreviations only before a number. */
const NUMBER_ABBREVIATIONS = 'ca fig figs prop no nos art bldg pp op';

const anyOf = (words: string): string => `(?:${words.split(/\s+/).join('|')})`;

const plainApostrophe = (token: string): string => token.replace(/['\u0092\u2019\u00B4\u0091\u2018\u201B]/g, "'");
const keepTogether = (token: string): string => token.replaceAll(' ', '\u00A0');
const plainBrackets = (token: string): string => token.replaceAll('(', '-LRB-').replaceAll(')', '-RRB-');
/** Quotation marks of all kinds are dropped after matching, so the kind is not kept. */
const quote = (): string => "''";
const dash = (): string => '--';

function rule(source: string, write?: (token: string) => string, needs?: string): Rule {
  return { pattern: new RegExp(source, 'uy'), ...(write && { write }), ...(needs && { needs }) };
}

/** A rule whose letters match both cases, inside character classes too. */
function caseless(source: string, write?: (token: string) => string): Rule {
  return { pattern: new RegExp(source, 'iuy'), ...(write && { write }) };
}

/** A rule for a fixed text, or for each of several characters. */
function fixed(source: string, token: string): Rule {
  return rule(source, () => token);
}

const BRACKETS: readonly Rule[] = [
  fixed('\\(', '-LRB-'),
  fixed('\\)', '-RRB-'),
  fixed('\\[', '-LSB-'),
  fixed('\\]', '-RSB-'),
  fixed('\\{', '-LCB-'),
  fixed('\\}', '-RCB-'),
];

/** Currency symbols and fractions, most of which the Treebank writes in ASCII. */
const CHARACTERS: readonly Rule[] = [
  fixed('\\u00A2', 'cents'),
  fixed('\\u00A3', '#'),
  fixed('[\\u0080\\u00A4\\u20A0\\u20AC]', '$'),
  fixed('\\u00BC', '1/4'),
  fixed('\\u00BD', '1/2'),
  fixed('\\u00BE', '3/4'),
  fixed('\\u2153', '1/3'),
  fixed('\\u2154', '2/3'),
  rule('[\\u2155-\\u215E\\u00A5\\u20AA\\u20B9\\u0E3F\\u20A4\\uFFE0\\uFFE1\\uFFE5\\uFFE6]'),
];

/**
 * Source: the behaviour of edu.stanford.nlp.process.PTBTokenizer of CoreNLP. The rules of early 2013 and of 2018 agree on
 * almost all of this; these match 3.4.1 (August 2014), which lies in between and which `npm run bench:captions` compares with. Where
 * the two differ, the later rules apply: `end.Next` is one word, `no.` is an abbreviation only before a number, `[` is
 * `-lsb-`. Called as scorers call it, it keeps British spelling, and escapes neither slashes nor asterisks.
 */
export const RULES: readonly Rule[] = [
  caseless('(can)not'),
  caseless(`(${APOS}t)(?:was|is)`, plainApostrophe),
  caseless('(gon|wan)na'),
  caseless('(got)ta'),
  caseless('(lem|gim)me'),
  rule('<\\/?[A-Za-z!?][^>]*>', keepTogether, '>'),
  rule('[\\u0096\\u0097\\u2013-\\u2015]|&(?:mdash|ndash);', dash),
  caseless('&amp;', () => '&'),
  rule(`(${WORD})${CLITIC}`),
  rule(`([A-Za-z]*[A-MO-Za-mo-z])[nN]${INNER_APOS}[tT]`),
  rule(WORD),
  caseless(`${APOS}n${APOS}?`),
  rule(`[lLdDjJ]${APOS}`),
  caseless(`(?:dunkin|somethin|ol)${APOS}`),
  caseless(`${APOS}(?:em|till?|cause)`),
  rule(`[A-HJ-XZn]${INNER_APOS}\\p{L}{2}\\p{L}*`),
  caseless(`${APOS}[2-9]0s`),
  rule(`\\p{L}+[aeiouyAEIOUY]${INNER_APOS}[aeiouA-Z]\\p{L}*`),
  caseless("cont'd\\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l|o'o"),
  caseless(`diff${INNER_APOS}rent`),
  rule(`([yY]${APOS})\\p{L}`),
  rule('(?:ftp|https?):\\/\\/[^ \\t\\n"<>|(){}[\\]]*[^ \\t\\n"\'<>|.!?(){},;:&[\\]-]', undefined, '://'),
  rule(`[wW]{3}\\.(?:${LABEL}){1,10}[a-zA-Z]{2,4}${URL_PATH}`),
  rule(`(?:[\\p{L}+%&*#~]{1,63}\\.){1,10}(?:com|net|org|edu)${URL_PATH}`),
  rule('[a-zA-Z0-9._%+-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,253}[A-Za-z0-9]', undefined, '@'),
  rule('[@\\uFF20][a-zA-Z_][a-zA-Z_0-9]*'),
  rule(`[#\\uFF03]${LETTER}(?:[\\p{L}\\p{M}\\p{Nd}_]*[\\p{L}\\p{M}\\p{Nd}])?`),
  rule(`(${CLITIC})[^A-Za-z]`, plainApostrophe),
  rule(`[nN]${INNER_APOS}[tT]`, plainApostrophe),
  rule('\\p{Nd}{1,2}[-/]\\p{Nd}{1,2}[-/]\\p{Nd}{2,4}'),
  rule('[-+]?(?:\\p{Nd}+(?:[.:,\\u066B\\u066C]\\p{Nd}+)*|(?:[.,\\u066B\\u066C]\\p{Nd}+)+)'),
  rule('[\\u00B9\\u00B2\\u00B3\\u2070\\u2074-\\u2079]+|[\\u2080-\\u2089]+'),
  rule('(?:\\p{Nd}{1,4}[- \\u00A0])?\\p{Nd}{1,4}(?:\\\\?\\/|\\u2044)\\p{Nd}{1,4}', keepTogether),
  ...CHARACTERS,
  caseless(`-(?:[LR][RSC]B)-|C\\.D\\.s|pro-|anti-|S&P-500|S&Ls|cap${APOS}n|c${APOS}est`),
  rule('[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}(?:\\\\?\\/[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}){1,2}'),
  rule('[A-Z]*\\$|#'),
  caseless(`(${anyOf(FINAL_ABBREVIATIONS)}\\.)(?:[^][^])?`),
  caseless(`${anyOf(ABBREVIATIONS)}\\.`),
  rule(`(${anyOf(`${CAPITAL_ABBREVIATIONS} ${CAPITAL_ABBREVIATIONS.toUpperCase()}`)}\\.)(?:[^][^])?`),
  caseless(`(${anyOf(NUMBER_ABBREVIATIONS)}\\.)${SPACE}?\\p{Nd}`),
  rule(ACRONYM),
  rule(`(${APOS}[0-9][0-9])${SPACE}`),
  rule(`(${WORD}\\.)${END_OF_PHRASE}`),
  rule(
    '(?:\\([0-9]{2,3}\\)[ \\u00A0]?|(?:\\+\\+?)?(?:[0-9]{2,4}[- \\u00A0])?[0-9]{2,4}[- \\u00A0])' +
      '[0-9]{3,4}[- \\u00A0]?[0-9]{3,5}' +
      '|(?:(?:\\+\\+?)?[0-9]{2,4}\\.)?[0-9]{2,4}\\.[0-9]{3,4}\\.[0-9]{3,5}',
    (token) => keepTogether(plainBrackets(token)),
  ),
  rule('"|&quot;', quote),
  ...BRACKETS,
  rule('-+', (token) => (token.length === 3 || token.length === 4 ? '--' : token)),
  fixed('\\.{3,5}|(?:\\.[ \\u00A0]){2,4}\\.|[\\u0085\\u2026]', '...'),
  rule('@+|#+|_+|=|[?!]+|[,;:\\u3001.\\u00A1\\u00BF\\u037E\\u0589\\u061F\\u06D4\\u3002]'),
  rule('\\*+|(?:\\\\\\*){1,3}'),
  rule('\\/'),
  rule(`(${HYPHENED}\\.)${END_OF_PHRASE}`, undefined, '-'),
  rule(HYPHENED, undefined, '-'),
  rule(`(${THING}\\.)${END_OF_PHRASE}`),
  rule(THING),
  rule(`([A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+\\.)${END_OF_PHRASE}`, (token) => token.replaceAll('&amp;', '&')),
  rule('[A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+', (token) => token.replaceAll('&amp;', '&')),
  rule("(')[A-Za-z][^ \\t\\n\\u00A0]", quote),
  rule(CLITIC, plainApostrophe),
  rule(`${APOS}|''|[\`\\u2018-\\u201F\\u0082\\u0084\\u0091-\\u0094\\u2039\\u203A\\u00AB\\u00BB]{1,2}`, quote),
  caseless('(?:<<|>>|<|>|&lt;|&gt;)', (token) => token.replace('&lt;', '<').replace('&gt;', '>')),
  rule("([<>]?[:;=][-o*']?[()DPdpO\\\\{@|[\\]])[^A-Za-z]", plainBrackets),
  rule(
    '[+%&~^|\\\\\\u00A6\\u00A7\\u00A8\\u00A9\\u00AC\\u00AE-\\u00B3\\u00B5-\\u00BA\\u00D7\\u00F7\\u2016\\u2017' +
      '\\u2020-\\u2025\\u2030-\\u2038\\u203B\\u203C\\u203E-\\u2044\\u207A-\\u207F\\u208A-\\u208E\\u2100-\\u214F' +
      '\\u2190-\\u2BFF\\u3012\\u30FB\\uFF01-\\uFF0F\\uFF1A-\\uFF20\\uFF3B-\\uFF40\\uFF5B-\\uFF65]',
  ),
];
