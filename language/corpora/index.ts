import type { Corpus } from './corpus.js';
import { gcide } from './gcide.js';
import { mobyDick, stateOfTheUnion } from './stdlibBooks.js';
import { wordNet } from './wordNet.js';

export { type CollectedCorpus, type CollectedText, type CollectTextOptions, collectText } from './collectText.js';
export type { Corpus } from './corpus.js';

/** All text that can be collected; what npm does not have is only taken when it is asked for. */
export const CORPORA: readonly Corpus[] = [stateOfTheUnion, wordNet, mobyDick, gcide];
