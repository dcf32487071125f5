export { captionNlls, captionTokenNlls, type ImageNlls, type PairNllOptions, pairNlls } from './captionNlls.js';
export { type NllMatrix, nllMatrix } from './nllMatrix.js';
export { type ForcedChoice, forcedChoice, RECALL_RANKS, type Recall, type Retrieval, retrieval } from './retrieval.js';
