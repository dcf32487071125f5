import { attachJointGroup, continueText, loadJointModel } from '#fusion';
import {
  type AnyLanguageConfig,
  attachLanguageGroup,
  type Decoding,
  type GeneratedText,
  generateText,
  type LanguageModel,
  loadAnyLanguageModel,
  loadLanguageModel,
} from '#language';
import type { Command } from '#src/cli';
import { printableLines, UserError } from '#src/errors';
import type { Sparsity } from '#src/tokenformer';
import { findCheckpoint, readModelDescription } from '#src/training';
import {
  DECODING_OPTIONS,
  decodingOf,
  ENGINE_OPTIONS,
  GROUP_OPTION,
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
  options: { ...GROUP_OPTION, ...DECODING_OPTIONS, ...SPARSE_OPTION, ...ENGINE_OPTIONS },
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
    const use: ModelUse = { groups: args.texts('group'), sparsity };
    const candidates = await (kind === 'fusion' ? continueJoint : continueLanguage)(path, prompt, decoding, use);
    for (const { text } of candidates) output.line(printableLines(`${prompt}${text}`));
    return { prompt, decoding, ...(sparsity && { sparse: args.text('sparse') }), text: candidates[0].text, candidates };
  },
};

/** Groups to attach, and how many parameter tokens to use. */
interface ModelUse {
  readonly groups: readonly string[];
  readonly sparsity: Sparsity | undefined;
}

/** A language backbone; a Transformer too where nothing asks for parameter tokens. */
async function loadFor(path: string, { groups, sparsity }: ModelUse): Promise<LanguageModel<AnyLanguageConfig>> {
  if (groups.length === 0 && sparsity === undefined) return loadAnyLanguageModel(path);
  let model = loadLanguageModel(path);
  for (const group of groups) model = await attachLanguageGroup(model, group);
  model.tree.useSparsity(sparsity);
  return model;
}

async function continueLanguage(
  path: string,
  prompt: string,
  decoding: Decoding,
  use: ModelUse,
): Promise<GeneratedText[]> {
  const model = await loadFor(path, use);
  try {
    return await generateText(model, prompt, decoding);
  } finally {
    model.dispose();
  }
}

async function continueJoint(
  path: string,
  prompt: string,
  decoding: Decoding,
  { groups, sparsity }: ModelUse,
): Promise<GeneratedText[]> {
  let model = loadJointModel(path);
  try {
    for (const group of groups) model = await attachJointGroup(model, group);
    model.tree.useSparsity(sparsity);
    return await continueText(model, prompt, decoding);
  } finally {
    model.dispose();
  }
}
