import type { StreamRole } from '#src/transformer';
import { LANGUAGE_GROUP } from './backbone.js';

/** What the tensors of a language model outside of its stack do with the features of the stream; the output is tied. */
export function languageStreamRole(name: string): StreamRole {
  return name === `${LANGUAGE_GROUP}/tokenEmbedding` ? 'writes' : 'apart';
}
