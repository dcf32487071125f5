export { type CaptionTrace, captionTraces, type GroupShares, type TracedWord } from './captionTraces.js';
export {
  createDrawTally,
  type DrawnToken,
  type DrawTally,
  FEWEST_OCCURRENCES,
  GROUP_NAMES,
  type GroupName,
  type TokenShare,
} from './drawTally.js';
export { type TokenWord, tokenWords } from './tokenWords.js';
