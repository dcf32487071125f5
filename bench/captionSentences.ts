import { createRandom } from '#src/random';

const PEOPLE =
  'a man,two women,a young girl,the little boy,three people,a skateboarder,a group of tourists,an old farmer';
const ANIMALS = 'a brown dog,two black cats,the horse,a giraffe,a flock of geese,an elephant,a herd of sheep';
const ACTIONS =
  'sitting on,standing beside,looking at,walking past,jumping over,holding,leaning against,riding next to';
const THINGS =
  'a wooden bench,the red bus,a parked car,an open laptop,a bowl of fruit,the kitchen table,a surfboard,a clock tower';
const PLACES = 'in a park,near the beach,on a city street,at night,under a tree,in front of a building,by the window';

/** What tokenizers and stemmers disagree on: contractions, hyphens, numbers, British spelling, quotes, marks, other scripts. */
const HARD = [
  "the dog's bowl isn't empty",
  "it's the boys' grey-haired teacher",
  'a sign that reads "NO PARKING"',
  'a colourful centre with a theatre programme',
  "they're gonna eat, and can't wait",
  'Mr. Smith vs. the U.S. team, 3-1',
  'a $5.50 coffee (large) at 3:30pm',
  'half of it, 1/2 or 50%',
  'salt & pepper, A/B tests, and/or both',
  'a café in São Paulo with crème brûlée',
  'wait... what?! a well-known T-shirt!',
  "rock 'n' roll in the '90s, e.g. the 1990s",
  'see http://example.com/a?b=c or mail me@example.com',
  'the realised cost: £3 – €4 — ¥500',
  'a #hashtag, @someone and a smile :)',
  'a 10 ft. long, 2x4 board, No. 7',
  '“curly quotes” and ‘single ones’',
  'a dog 🐕 and 東京タワー at dusk',
  'cannot, would-be, ex-wife, mid-air, 24/7',
  'Dr. Jones, Ph.D., of St. Louis, Mo.',
];

/**
 * Captions in plain English from small lists of words, the same ones for a seed; every fifth also has one of the pieces of text
 * that tokenizers disagree on.
 */
export function captionSentences(seed: number): () => string {
  const random = createRandom(seed, 'bench sentences');
  const oneOf = (list: readonly string[]): string => list[random.integer(list.length)];
  const [people, animals, actions, things, places] = [PEOPLE, ANIMALS, ACTIONS, THINGS, PLACES].map((list) =>
    list.split(','),
  );
  return () => {
    const subject = oneOf(random.uniform() < 0.5 ? people : animals);
    const words = [subject, oneOf(actions), oneOf(random.uniform() < 0.3 ? animals : things), oneOf(places)].join(' ');
    const whole = random.uniform() < 0.2 ? `${words}, ${oneOf(HARD)}` : words;
    return random.uniform() < 0.5 ? `${whole[0].toUpperCase()}${whole.slice(1)}.` : whole;
  };
}
