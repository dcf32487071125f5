export { porterStem } from './porterStem.js';
export { ptbTokenize, type TokenizeOptions, tokenizeCaption } from './ptbTokenize.js';
