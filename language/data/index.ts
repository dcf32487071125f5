export { openPackedText, type PackedText } from './packedText.js';
export { type TextBatch, textBatch } from './textBatch.js';
export { LanguageDataConfig, TextDataConfig } from './textDataConfig.js';
export { openTextDataset, type TextDataset, type TextDatasetOptions, type TextPart } from './textDataset.js';
export { documentSpans, orderedWindowSpans, type Span, type TextSpans, windowSpans } from './textSpans.js';
