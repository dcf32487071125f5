import { createRandom } from '#src/random';
import type { DrawnPicture, PictureSets } from '../picture.js';
import { isNear } from '../pictureLook.js';
import type { Emoji } from './emoji.js';

/** Share of the roles that have a man's and a woman's picture of which one is held out. */
const HELD_ROLES = 0.15;

/** Share of the people and hands of which one skin tone is held out. */
const HELD_TONES = 0.25;

/** Share of the other names that are held out. */
const HELD_NAMES = 0.08;

/** Share of the names seen in several styles of which one style's picture is for validation, and for testing. */
const SEEN_STYLE = 0.15;

/** How emoji are split. */
export interface EmojiSplitOptions {
  /** Styles that are not trained on. */
  readonly heldOutStyles: readonly string[];
  readonly seed: number;
  /** Pictures in a set that is not trained on, at most. */
  readonly mostPictures: number;
}

/** A drawn emoji. */
export interface DrawnEmoji extends DrawnPicture {
  readonly emoji: Emoji;
}

/**
 * Sets of drawn emoji.
 *
 * - `train`.
 * - `val`, `test`: names that were trained on in other styles; no picture of theirs in this style, whatever the skin tone, was.
 * - `test_style_<style>`: names that were trained on, in a style that was not; no flags, which are the same in every style.
 * - `test_compositions`: names that were not trained on and whose parts were: a woman's role known from a man (or the other way
 *   round), a skin tone known from others.
 * - `test_names`: whole names that were not trained on.
 *
 * Pictures that look like a training picture are left out of all but the compositions, whose names no training picture has.
 */
export function splitEmoji(drawn: readonly DrawnEmoji[], options: EmojiSplitOptions): PictureSets {
  const { heldOutStyles, seed, mostPictures } = options;
  const seen = drawn.filter(({ emoji }) => !heldOutStyles.includes(emoji.style));
  const { compositions, names } = heldOut(seen, seed);
  const shown = seen.filter(({ emoji }) => !compositions.has(emoji.concept) && !names.has(emoji.base));
  const { val, test } = otherStyles(shown, seed);
  const train = shown.filter((picture) => !val.has(unitOf(picture)) && !test.has(unitOf(picture)));
  const known = new Set(train.map(({ emoji }) => emoji.concept));
  const isKnown = ({ emoji }: DrawnEmoji): boolean => known.has(emoji.concept);
  const knownNames = new Set(train.flatMap(({ captions }) => captions));
  const isNamed = ({ captions }: DrawnEmoji): boolean => captions.some((caption) => knownNames.has(caption));
  const unheard = seen.filter((picture) => !isNamed(picture));
  const candidates: [string, readonly DrawnEmoji[]][] = [
    ['val', shown.filter((picture) => val.has(unitOf(picture)) && isKnown(picture))],
    ['test', shown.filter((picture) => test.has(unitOf(picture)) && isKnown(picture))],
    ...heldOutStyles.map((style): [string, DrawnEmoji[]] => [
      `test_style_${style.replaceAll('-', '_')}`,
      drawn.filter((picture) => picture.emoji.style === style && isKnown(picture) && !isFlag(picture)),
    ]),
    ['test_compositions', unheard.filter(({ emoji }) => compositions.has(emoji.concept))],
    ['test_names', unheard.filter(({ emoji }) => names.has(emoji.base) && !compositions.has(emoji.concept))],
  ];
  const unknown = drawn.length - train.length - candidates.reduce((sum, [, { length }]) => sum + length, 0);
  let [alike, beyond] = [0, 0];
  const sets = new Map<string, DrawnEmoji[]>([['train', train]]);
  for (const [name, pictures] of candidates) {
    const unlike =
      name === 'test_compositions'
        ? pictures
        : pictures.filter(({ look }) => !train.some((other) => isNear(look, other.look)));
    const taken = createRandom(seed, 'emoji', name)
      .shuffled([...unlike])
      .slice(0, mostPictures);
    alike += pictures.length - unlike.length;
    beyond += unlike.length - taken.length;
    if (taken.length > 0) sets.set(name, taken);
  }
  return {
    sets,
    leftOut: {
      'looks like a training picture': alike,
      'beyond the most pictures of a set': beyond,
      'no set has use for it': unknown,
    },
  };
}

/** All skin tones of a name in one style. */
function unitOf({ emoji }: DrawnEmoji): string {
  return `${emoji.style} ${emoji.base}`;
}

function isFlag({ emoji }: DrawnEmoji): boolean {
  return emoji.captions.some((caption) => caption.startsWith('flag: '));
}

/** Concepts that are new compositions of what is trained on, and bases that are not trained on at all. */
function heldOut(
  pictures: readonly DrawnEmoji[],
  seed: number,
): { readonly compositions: ReadonlySet<string>; readonly names: ReadonlySet<string> } {
  const draw = <T>(items: readonly T[], share: number, scope: string): T[] =>
    createRandom(seed, 'emoji', scope)
      .shuffled([...items])
      .slice(0, Math.round(share * items.length));
  /** Of each base its English and its concepts by skin tone. */
  const bases = new Map<string, { readonly caption: string; readonly byTone: Map<string, string> }>();
  for (const { emoji } of pictures) {
    const { base, concept, tones, captions } = emoji;
    const known = bases.get(base) ?? { caption: captions[0].replace(/:.*skin tone.*$/, ''), byTone: new Map() };
    known.byTone.set(tones.join(' '), concept);
    bases.set(base, known);
  }
  const ordered = [...bases].sort(([a], [b]) => (a < b ? -1 : 1));
  const byCaption = new Map(ordered.map(([base, { caption }]) => [caption, base]));
  const roles = ordered.flatMap(([, { caption }]) => {
    const [, role] = /^man (.+)$/.exec(caption) ?? [];
    return role !== undefined && byCaption.has(`woman ${role}`) ? [role] : [];
  });
  const random = createRandom(seed, 'emoji', 'gender');
  const heldRoles = new Set(
    draw(roles, HELD_ROLES, 'roles').map((role) => byCaption.get(`${random.choice(['man', 'woman'])} ${role}`)),
  );
  const compositions = new Set<string>();
  for (const base of heldRoles) {
    for (const concept of bases.get(base as string)?.byTone.values() ?? []) compositions.add(concept);
  }
  const toned = ordered.filter(([base, { byTone }]) => !heldRoles.has(base) && byTone.size > 4);
  for (const [, { byTone }] of draw(toned, HELD_TONES, 'toned')) {
    const tones = [...byTone.keys()].filter((tone) => tone !== '').sort();
    compositions.add(byTone.get(random.choice(tones)) as string);
  }
  const whole = ordered.filter(([base, { caption }]) => !heldRoles.has(base) && !/^(?:man|woman|flag)\b/.test(caption));
  return { compositions, names: new Set(draw(whole, HELD_NAMES, 'names').map(([base]) => base)) };
}

/** Of some names that several styles draw, one style each. */
function otherStyles(
  pictures: readonly DrawnEmoji[],
  seed: number,
): { readonly val: ReadonlySet<string>; readonly test: ReadonlySet<string> } {
  const stylesOf = new Map<string, Set<string>>();
  for (const { emoji } of pictures) stylesOf.set(emoji.base, (stylesOf.get(emoji.base) ?? new Set()).add(emoji.style));
  const several = [...stylesOf].filter(([, styles]) => styles.size > 1).sort(([a], [b]) => (a < b ? -1 : 1));
  const random = createRandom(seed, 'emoji', 'styles');
  const units = random.shuffled(several).map(([base, styles]) => `${random.choice([...styles].sort())} ${base}`);
  const count = Math.round(SEEN_STYLE * units.length);
  return { val: new Set(units.slice(0, count)), test: new Set(units.slice(count, 2 * count)) };
}
