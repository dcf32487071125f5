export { bpeEncoding, readBpeModel, writeBpeModel } from './bpeModel.js';
export { loadTokenizer, readEncoding, TokenizerConfig } from './loadTokenizer.js';
export { splitWords } from './splitPattern.js';
export { type DocumentSettings, isJsonlFile, readTextDocuments } from './textDocuments.js';
export { textPieces } from './textPieces.js';
export { hashTextSource, resolveTextSource, type TextSource, textSourceName } from './textSource.js';
export { createTokenizer, END_OF_TEXT, type Encoding, type Tokenizer } from './tokenizer.js';
export { trainBpe } from './trainBpe.js';
