/** Words of Firefox OS Emoji, whose names have no hyphens, that the other sets' names lack. */
const OTHER_WORDS = `
  accept acorn advantage ascend aubergine automated bactrian bag basketball bicyclist billiards bold boot bouquet box
  brightness britain bullhorn calendar camel cancellation capital cartridge cassette celtic chapter chart chili circled clamshell
  clap compression congratulation control cop decrease descend devil diamond disk document dot downward dromedary empty ends
  falling father fisted flex font frame frown golfer great grin guardsman handheld hard hoop horns icon ideograph imp increase
  ink inside izakaya knob lantern letter lifter lightning lips litter lock machine maize makeup maximize meridian mic minidisc
  minimize missing mobile modem mood moyai multiple negative networked northwest notched overlap pad pages pennant personal
  picture piracy portable pout pray present printer racecar rays recreational recycling revolving ringing rowboat runner sandals
  satchel school scream screen script secret shape sheep shell sideways size ski sleuth slice small smiley smirk snout southeast
  sparkler splash spoked spurting squared squint stamped stereo stock storm studio sunset surfer tab teller text thought tie
  tiles torch touchtone trend triumph turned twisted unified universal upward video waitress weight wired`
  .trim()
  .split(/\s+/);

/** The longest word that is looked for, in characters. */
const LONGEST = 20;

/** Splits names that are written as one word. */
export interface WordSplitter {
  /** With hyphens between words; undefined where some part is no known word. */
  split(name: string): string | undefined;
}

/** @param names of other sets, with hyphens: their words are known */
export function wordSplitter(names: Iterable<string>): WordSplitter {
  const known = new Set(OTHER_WORDS);
  for (const name of names) for (const word of name.split('-')) known.add(word);
  return {
    split: (name) => {
      const parts = name.split('-').map((part) => fewestWords(part, known));
      return parts.every((part) => part !== undefined) ? parts.join('-') : undefined;
    },
  };
}

/** The fewest known words that a text consists of; numbers are words, and short words count twice. */
function fewestWords(text: string, known: ReadonlySet<string>): string | undefined {
  /** By end: the words up to there and what they count. */
  const best: ({ readonly count: number; readonly words: string } | undefined)[] = [{ count: 0, words: '' }];
  for (let end = 1; end <= text.length; end++) {
    for (let start = Math.max(0, end - LONGEST); start < end; start++) {
      const before = best[start];
      const word = text.slice(start, end);
      if (before === undefined || !(/^\d+$/.test(word) || (word.length > 1 && known.has(word)))) continue;
      const count = before.count + (word.length < 3 ? 2 : 1);
      const words = before.words === '' ? word : `${before.words}-${word}`;
      if (count < (best[end]?.count ?? Number.POSITIVE_INFINITY)) best[end] = { count, words };
    }
  }
  return best[text.length]?.words;
}
