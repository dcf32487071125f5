import { UserError } from '#src/errors';

/** Every word of the scene sentences, in German, uninflected. */
const WORDS: Readonly<Record<string, string>> = {
  ...{ a: 'ein', an: 'ein', the: 'der', this: 'dies', there: 'da', i: 'ich', ',': ',' },
  ...{ is: 'ist', are: 'sind', see: 'sehe', shows: 'zeigt', picture: 'bild', object: 'ding', objects: 'dinge' },
  ...{ no: 'kein', one: 'eins', two: 'zwei', three: 'drei', colour: 'farbe', of: 'von' },
  ...{ on: 'auf', and: 'und', also: 'auch', with: 'mit', to: 'zu', left: 'links', right: 'rechts' },
  ...{ above: 'oberhalb', over: 'über', below: 'unterhalb', under: 'unter' },
  ...{ background: 'hintergrund', ground: 'grund', plain: 'glatt', noisy: 'rauschend' },
  ...{ small: 'klein', little: 'winzig', large: 'riesig', big: 'groß' },
  ...{ red: 'rot', green: 'grün', blue: 'blau', yellow: 'gelb' },
  ...{ purple: 'lila', orange: 'apfelsinenfarben', cyan: 'türkis', white: 'weiß' },
  ...{ circle: 'kreis', square: 'quadrat', triangle: 'dreieck', cross: 'kreuz', ring: 'reif', diamond: 'raute' },
};

/** A sentence about a scene with each of its words in German: other words in the same order. */
export function inGerman(sentence: string): string {
  return sentence
    .split(' ')
    .map((word) => {
      if (!Object.hasOwn(WORDS, word)) throw new UserError(`expected a word of the scene sentences, got '${word}'`);
      return WORDS[word];
    })
    .join(' ');
}
