import { COLOURS, type Colour, SHAPES, type Shape, SIZES, type Size } from './attributes.js';
import { SIZE_WORDS } from './captionScene.js';
import { RELATION_OF_WORD, type Relation } from './relations.js';

/** What a noun phrase says; an attribute it does not mention is undefined. */
export interface ObjectPhrase {
  readonly size?: Size;
  readonly colour?: Colour;
  readonly shape?: Shape;
}

export interface ParsedCaption {
  readonly phrases: readonly ObjectPhrase[];
  /** What is said between the first phrase and the second (or the end), without repeats. */
  readonly relations: readonly Relation[];
}

const COLOUR_SET: ReadonlySet<string> = new Set(COLOURS);
const SHAPE_SET: ReadonlySet<string> = new Set(SHAPES);
const SIZE_OF_WORD: ReadonlyMap<string, Size> = new Map(
  SIZES.flatMap((size) => SIZE_WORDS[size].map((word): [string, Size] => [word, size])),
);
/** Words that begin or separate noun phrases: an unfinished phrase ends before them. */
const BOUNDARIES: ReadonlySet<string> = new Set(['a', 'an', 'the', 'and', 'with', 'there', 'is', 'on', ',', '.']);

/**
 * Reads any text as a caption: sizes and colours in any order up to a shape make one noun phrase, a phrase cut off
 * before its shape counts with what it has, the first word wins where a phrase contradicts itself, other words are
 * ignored.
 */
export function parseCaption(caption: string): ParsedCaption {
  const phrases: ObjectPhrase[] = [];
  const relations = new Set<Relation>();
  let phrase: { size?: Size; colour?: Colour } | undefined;
  const finish = (shape?: Shape) => {
    if (phrase !== undefined || shape !== undefined) phrases.push({ ...phrase, ...(shape && { shape }) });
    phrase = undefined;
  };
  for (const word of caption.toLowerCase().match(/[a-z]+|[^a-z\s]/g) ?? []) {
    const size = SIZE_OF_WORD.get(word);
    const relation = Object.hasOwn(RELATION_OF_WORD, word) ? RELATION_OF_WORD[word] : undefined;
    if (SHAPE_SET.has(word)) finish(word as Shape);
    else if (COLOUR_SET.has(word)) phrase = { colour: word as Colour, ...phrase };
    else if (size !== undefined) phrase = { size, ...phrase };
    else if (relation !== undefined) {
      finish();
      if (phrases.length === 1) relations.add(relation);
    } else if (BOUNDARIES.has(word)) finish();
  }
  finish();
  return { phrases, relations: [...relations] };
}
