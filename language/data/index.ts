export { openPackedText } from './packedText.js';
export { type TextBatch, textBatch } from './textBatch.js';
export { LanguageDataConfig, TextDataConfig } from './textDataConfig.js';
export { openTextDataset, type TextDataset, type TextDatasetOptions } from './textDataset.js';
export { orderedWindowSpans, type Span, windowSpans } from './textSpans.js';
