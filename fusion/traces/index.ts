export {
  type CaptionTrace,
  captionTraces,
  GROUP_NAMES,
  type GroupName,
  type GroupShares,
  type TracedWord,
} from './captionTraces.js';
