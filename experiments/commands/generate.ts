import { continueText, loadJointModel } from '#fusion';
import { type Decoding, type GeneratedText, generateText, loadAnyLanguageModel, loadLanguageModel } from '#language';
import type { Command } from '#src/cli';
import { printableLines, UserError } from '#src/errors';
import type { Sparsity } from '#src/tokenformer';
import { findCheckpoint, readModelDescription } from '#src/training';
import {
  DECODING_OPTIONS,
  decodingOf,
  ENGINE_OPTIONS,
  SPARSE_OPTION,
  sparsityOf,
  startEngine,
} from '../options/index.js';

/** `tokenfuse generate`: text from a language backbone, or from a merged model without an image. */
export const generateCommand: Command = {
  name: 'generate',
  summary: 'Continue a text with a language backbone or a merged model: greedy, by beam search, or sampled',
  positionals: [
    { name: 'model', description: 'a language, merged or aligned model: run directory or checkpoint' },
    { name: 'prompt', description: 'text to continue (default: none)', optional: true },
  ],
  options: { ...DECODING_OPTIONS, ...SPARSE_OPTION, ...ENGINE_OPTIONS },
  run: async (args, output) => {
    const decoding = decodingOf(args);
    const sparsity = sparsityOf(args);
    const [path, prompt = ''] = args.positionals;
    const directory = findCheckpoint(path);
    const { kind } = readModelDescription(directory);
    if (kind !== 'language' && kind !== 'fusion') {
      throw new UserError(`${directory}: expected a language model or a merged one, got a ${kind} model`);
    }
    await startEngine(args, output);
    const candidates = await (kind === 'fusion' ? continueJoint : continueLanguage)(path, prompt, decoding, sparsity);
    for (const { text } of candidates) output.line(printableLines(`${prompt}${text}`));
    return { prompt, decoding, ...(sparsity && { sparse: args.text('sparse') }), text: candidates[0].text, candidates };
  },
};

async function continueLanguage(
  path: string,
  prompt: string,
  decoding: Decoding,
  sparsity: Sparsity | undefined,
): Promise<GeneratedText[]> {
  // Only what has parameter tokens can use fewer of them.
  const model = sparsity === undefined ? loadAnyLanguageModel(path) : loadLanguageModel(path);
  try {
    model.tree.useSparsity(sparsity);
    return await generateText(model, prompt, decoding);
  } finally {
    model.dispose();
  }
}

async function continueJoint(
  path: string,
  prompt: string,
  decoding: Decoding,
  sparsity: Sparsity | undefined,
): Promise<GeneratedText[]> {
  const model = loadJointModel(path);
  try {
    model.tree.useSparsity(sparsity);
    return await continueText(model, prompt, decoding);
  } finally {
    model.dispose();
  }
}
