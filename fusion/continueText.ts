import { type Decoding, type GeneratedText, generateText } from '#language';
import { tokenFormerStack } from '#src/stacks';
import type { JointModel } from './jointModel.js';
import { textBlocks } from './streamBlocks.js';

/**
 * Continues a text with a merged model and no image: with its language backbone, unless the method changes the backbones.
 *
 * @returns the best continuation, or the first drawn, first
 */
export async function continueText(model: JointModel, prompt: string, decoding: Decoding): Promise<GeneratedText[]> {
  const { tree, tokenizer, config } = model;
  const { backbone } = config.language;
  const stack = tokenFormerStack(textBlocks(model, false, { bridge: true }), backbone.stack);
  return await generateText({ tree, tokenizer, config: backbone }, prompt, decoding, { stack });
}
