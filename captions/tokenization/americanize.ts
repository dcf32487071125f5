/** British spellings and their American forms after the colon, word by word; other forms of a word are unchanged. */
const SPELLINGS = new Map(
  `anaesthetic:anesthetic analogue:analog analogues:analogs armoured:armored cancelled:canceled cancelling:canceling
  capitalisation:capitalization centre:center chimaeric:chimeric coloured:colored colourful:colorful colouring:coloring
  defence:defense Defence:Defense discoloured:discolored discolouring:discoloring encyclopaedia:encyclopedia
  endeavoured:endeavored endeavouring:endeavoring favoured:favored favouring:favoring favourite:favorite
  favourites:favorites fibre:fiber fibres:fibers flavoured:flavored flavouring:flavoring grey:gray homologue:homolog
  homologues:homologs honourable:honorable honoured:honored honouring:honoring humoured:humored humouring:humoring
  kerb:curb labelled:labeled labelling:labeling Labour:Labor laboured:labored labouring:laboring leant:leaned
  learnt:learned manoeuvre:maneuver manoeuvres:maneuvers meagre:meager neighbourhood:neighborhood
  neighbourhoods:neighborhoods oestrogen:estrogen oestrogens:estrogens organisation:organization
  organisations:organizations practise:practice practised:practiced rumoured:rumored rumouring:rumoring
  savoured:savored savouring:savoring theatre:theater theatres:theaters titre:titer titres:titers travelled:traveled
  travelling:traveling`
    .split(/\s+/)
    .map((pair) => pair.split(':') as [string, string]),
);

/** Verbs in -ise or -yse, with the endings that change: `realise`, `realised`, `realising`, `realises`. */
const VERBS = new Map(
  Object.entries({
    analys: 'e ed ing',
    capitalis: 'e ed',
    finalis: 'e ed ing',
    localis: 'e ed',
    maximis: 'e ed ing',
    minimis: 'e ed ing',
    modernis: 'e ed ing',
    penalis: 'e ed',
    popularis: 'e ed es ing',
    pressuris: 'e ed es ing',
    realis: 'e ed es ing',
    recognis: 'e ed es ing',
  }).flatMap(([stem, endings]) =>
    endings.split(' ').map((ending): [string, string] => [stem + ending, `${stem.slice(0, -1)}z${ending}`]),
  ),
);

/** Words that contain one of these keep their -our. */
const KEEPS_OUR = new RegExp(
  [
    'abatjour|beflour|bonjour|calambour|carrefour|contour|cornflour|de[tv]our|dortour|downpour|dyvour|giaour|glamour',
    'holour|inpour|outpour|pandour|paramour|pompadour|recontour|repour|ryeflour|sompnour|tambour|tregetour|troubadour',
    'velour',
  ].join('|'),
);

/**
 * The American spelling of a British word, as CoreNLP's tokenizer writes it before lowercasing: `grey` becomes `gray`,
 * `Grey` is unchanged. Covers a short list and five endings; `centres` and `jewellery`, for example, are unchanged.
 *
 * Source: the behaviour of edu.stanford.nlp.process.Americanize (its word list and endings).
 */
export function americanize(word: string): string {
  const listed = SPELLINGS.get(word) ?? VERBS.get(word);
  if (listed !== undefined) return listed;
  if (word.length < 6) return word;
  if (/haem(?:at)?o/.test(word)) return word.replace(/haem(at)?o/g, 'hem$1o');
  if (word.endsWith('aemia')) return `${word.slice(0, -5)}emia`;
  if (/[lL]eukaem/.test(word)) return word.replace(/([lL])eukaem/g, '$1eukem');
  if (/programmes?$/.test(word)) return word.replace(/programme(s?)$/, 'program$1');
  if (/^[a-z]{3,}ours?$/.test(word) && !KEEPS_OUR.test(word)) return word.replace(/our(s?)$/, 'or$1');
  return word;
}
