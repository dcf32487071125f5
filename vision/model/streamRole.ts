import type { StreamRole } from '#src/transformer';
import { VISION_GROUP } from './backbone.js';

/** Heads on the final states, and the way from them into the decoder of masked patches and into the predictor of states. */
const READS = new RegExp(`^(${VISION_GROUP}/head/\\w+|visionDecoder/embedding|visionPredictor/embedding)/kernel$`);

/** What makes the stream, and predictions of its states. */
const WRITES = new RegExp(
  `^(${VISION_GROUP}/(patchEmbedding/(kernel|bias)|positionEmbedding|classToken)|visionPredictor/states/(kernel|bias))$`,
);

/** What the tensors of a vision model outside of its stack do with the features of the stream. */
export function visionStreamRole(name: string): StreamRole {
  return WRITES.test(name) ? 'writes' : READS.test(name) ? 'reads' : 'apart';
}
