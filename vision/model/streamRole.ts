import type { StreamRole } from '#src/transformer';
import { VISION_GROUP } from './backbone.js';

/** Heads on the final states, and the way from them into the decoder of masked patches, the predictor of states and the head of prototypes. */
const READS = new RegExp(
  `^(${VISION_GROUP}/head/\\w+|vision(Decoder|Predictor)/embedding|visionPrototypes/hidden)/kernel$`,
);

/** What makes the stream, and predictions of its states. */
const WRITES = new RegExp(
  `^(${VISION_GROUP}/(patchEmbedding/(kernel|bias)|positionEmbedding|classToken)|visionPredictor/states/(kernel|bias))$`,
);

/** What the tensors of a vision model outside of its stack do with the features of the stream. */
export function visionStreamRole(name: string): StreamRole {
  return WRITES.test(name) ? 'writes' : READS.test(name) ? 'reads' : 'apart';
}
