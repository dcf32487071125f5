import { iconCaption, nameKey } from './iconCaption.js';
import type { IconDrawing, IconPackage } from './iconPackage.js';
import { tonedName } from './skinTones.js';
import { wordSplitter } from './wordSplit.js';

/** A drawing and what it shows. */
export interface Emoji extends IconDrawing {
  /** What it shows, the same in all styles: a character's code points or, where there are none, a name. */
  readonly concept: string;
  /** The concept without skin tones. */
  readonly base: string;
  readonly tones: readonly string[];
  /** All names of the concept as English: those of the drawing's own style, then those of the other styles. */
  readonly captions: readonly string[];
}

export interface NamedEmoji {
  readonly emoji: readonly Emoji[];
  /** Drawings whose name cannot be split into words. */
  readonly unnamed: number;
}

/** Brings the drawings of all styles together by the characters that they draw and by their names. */
export function nameEmoji(packages: readonly IconPackage[]): NamedEmoji {
  const drawings = withHyphens(packages.flatMap((set) => set.drawings));
  const captionsOf = ({ names, character }: IconDrawing): string[] =>
    names.map((name) => iconCaption(tonedName(name, character)));
  const concepts = new Map<string, string>();
  for (const drawing of drawings) {
    if (drawing.character === undefined) continue;
    for (const caption of captionsOf(drawing)) {
      const key = nameKey(caption);
      if (!concepts.has(key)) concepts.set(key, drawing.character);
    }
  }
  const conceptOf = (captions: readonly string[]): string => {
    const keys = captions.map(nameKey);
    return keys.map((key) => concepts.get(key)).find((known) => known !== undefined) ?? keys[0];
  };
  const emoji = drawings.map((drawing) => {
    const captions = captionsOf(drawing);
    const { tones } = tonedName(drawing.icon, drawing.character);
    const concept = drawing.character ?? conceptOf(captions);
    const bare = drawing.names.map((name) => iconCaption({ base: tonedName(name, drawing.character).base, tones: [] }));
    return { ...drawing, concept, base: tones.length === 0 ? concept : conceptOf(bare), tones, captions };
  });
  const names = new Map<string, string[]>();
  for (const { concept, captions } of emoji) names.set(concept, [...(names.get(concept) ?? []), ...captions]);
  return {
    emoji: emoji.map((one) => ({ ...one, captions: unlike([...one.captions, ...(names.get(one.concept) ?? [])]) })),
    unnamed: packages.flatMap((set) => set.drawings).length - drawings.length,
  };
}

/** A style in whose names hyphens are rarer writes them as one word. */
const HYPHENATED = 0.1;

/** Drawings with their names split into words. */
function withHyphens(drawings: readonly IconDrawing[]): IconDrawing[] {
  const namesOf = new Map<string, string[]>();
  for (const { style, names } of drawings) namesOf.set(style, [...(namesOf.get(style) ?? []), ...names]);
  const joined = new Set<string>();
  for (const [style, names] of namesOf) {
    if (names.filter((name) => name.includes('-')).length < HYPHENATED * names.length) joined.add(style);
  }
  const apart = drawings.filter(({ style }) => !joined.has(style)).flatMap(({ names }) => names);
  const known = new Map(apart.map((name) => [name.replaceAll('-', ''), name]));
  const splitter = wordSplitter(apart);
  return drawings.flatMap((drawing) => {
    if (!joined.has(drawing.style)) return [drawing];
    const names = drawing.names
      .map((name) => known.get(name) ?? splitter.split(name))
      .filter((name) => name !== undefined);
    return names.length === 0 ? [] : [{ ...drawing, names }];
  });
}

/** The texts without those that differ from an earlier one in spaces, hyphens and capitals alone. */
function unlike(captions: readonly string[]): string[] {
  const byKey = new Map<string, string>();
  for (const caption of captions) if (!byKey.has(nameKey(caption))) byKey.set(nameKey(caption), caption);
  return [...byKey.values()];
}
