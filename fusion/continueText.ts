import { type Decoding, type GeneratedText, generateText } from '#language';
import type { JointModel } from './jointModel.js';
import { textBlocks } from './streamBlocks.js';

/**
 * Continues a text with a merged model and no image: with its language backbone, unless the method changes the backbones.
 *
 * @returns the best continuation, or the first drawn, first
 */
export async function continueText(model: JointModel, prompt: string, decoding: Decoding): Promise<GeneratedText[]> {
  const { tree, tokenizer, config } = model;
  const blocks = textBlocks(model, false, { bridge: true });
  return await generateText({ tree, tokenizer, config: config.language.backbone }, prompt, decoding, blocks);
}
