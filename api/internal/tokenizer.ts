import { resolve } from 'node:path';
import { trainBpe, writeBpeModel } from '#language';
import type { TokenizerTraining } from '../tokenizer.js';

export function trainTokenizerFile({ files = [], texts, vocabSize }: TokenizerTraining, path: string): number {
  const model = trainBpe({ files, texts, vocabSize });
  writeBpeModel(resolve(path), model);
  // The end of text is no token of the model's own.
  return model.tokens.length + 1;
}
