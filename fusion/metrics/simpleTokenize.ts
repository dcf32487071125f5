/** How captions are split before they are scored. */
export interface TokenizeOptions {
  /** Captions are tokens with one space between them already (say, by the Penn Treebank tokenizer): take them as they are. */
  readonly pretokenized?: boolean;
}

/**
 * A caption in lower case, without punctuation, one space between words. Words keep inner apostrophes and hyphens
 * (`man's`, `t-shirt`) and digits keep inner points, commas and colons (`3.5`, `1,000`, `5:30`).
 *
 * This is NOT the Penn Treebank tokenizer of the published COCO figures. It does not split contractions (`do n't`,
 * `man 's`), does not turn British into American spelling, keeps emoji, and drops brackets where that one leaves
 * `-lrb-` and `-rrb-`. Scores of captions split by it compare with one another, and with published ones only roughly.
 */
export function simpleTokenize(caption: string): string {
  return caption
    .toLowerCase()
    .replace(/[‘’]/g, "'")
    .replace(/(?<!\d)[.,:]|[.,:](?!\d)/g, ' ')
    .replace(/[?!;"“”„`(){}[\]…–—]|--+|''+/g, ' ')
    .split(/\s+/)
    .map((word) => word.replace(/^['-]+|['-]+$/g, ''))
    .filter((word) => word !== '')
    .join(' ');
}
