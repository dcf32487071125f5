import {
  attachJointGroup,
  type BackbonePrefix,
  continueText,
  loadJointModel,
  takeOverJointGroups,
  usePrefix,
} from '#fusion';
import {
  type AnyLanguageConfig,
  attachLanguageGroup,
  type Decoding,
  type GeneratedText,
  generateText,
  type LanguageModel,
  loadAnyLanguageModel,
  loadLanguageModel,
  useLanguagePrefix,
} from '#language';
import type { Command } from '#src/cli';
import { ConfigError, printableLines, UserError } from '#src/errors';
import type { RemoteParams } from '#src/remote';
import type { Sparsity } from '#src/tokenformer';
import { findCheckpoint, readModelDescription } from '#src/training';
import {
  DECODING_OPTIONS,
  decodingOf,
  ENGINE_OPTIONS,
  GROUP_OPTION,
  PREFIX_OPTION,
  prefixOf,
  REMOTE_FALLBACK,
  REMOTE_OPTIONS,
  remoteOf,
  remoteResult,
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
  options: {
    ...{ ...GROUP_OPTION, ...DECODING_OPTIONS, ...PREFIX_OPTION, ...SPARSE_OPTION },
    ...{ ...REMOTE_OPTIONS, ...REMOTE_FALLBACK, ...ENGINE_OPTIONS },
  },
  run: async (args, output) => {
    const decoding = decodingOf(args);
    const sparsity = sparsityOf(args);
    const prefix = prefixOf(args);
    const [path, prompt = ''] = args.positionals;
    const directory = findCheckpoint(path);
    const { kind } = readModelDescription(directory);
    if (kind !== 'language' && kind !== 'fusion') {
      throw new UserError(`${directory}: expected a language model or a merged one, got a ${kind} model`);
    }
    if (kind === 'language' && prefix && prefix.language === undefined) {
      throw new ConfigError(`--prefix: expected one of the language backbone, got '${args.text('prefix')}'`);
    }
    await startEngine(args, output);
    const remote = remoteOf(args, output);
    try {
      const use: ModelUse = { groups: args.texts('group'), prefix, sparsity, remote };
      const candidates = await (kind === 'fusion' ? continueJoint : continueLanguage)(path, prompt, decoding, use);
      for (const { text } of candidates) output.line(printableLines(`${prompt}${text}`));
      const used = {
        ...(prefix && { prefix: args.text('prefix') }),
        ...(sparsity && { sparse: args.text('sparse') }),
      };
      const cost = remoteResult(remote, output, candidates[0].numTokens);
      return { prompt, decoding, ...used, text: candidates[0].text, candidates, ...cost };
    } finally {
      remote?.close();
    }
  },
};

/** Groups to attach, how many parameter tokens to use, and the process that holds others. */
interface ModelUse {
  readonly groups: readonly string[];
  readonly prefix: BackbonePrefix | undefined;
  readonly sparsity: Sparsity | undefined;
  readonly remote: RemoteParams | undefined;
}

/** A language backbone; a Transformer too where nothing asks for parameter tokens. */
async function loadFor(
  path: string,
  { groups, prefix, sparsity, remote }: ModelUse,
): Promise<LanguageModel<AnyLanguageConfig>> {
  const isPlain = groups.length === 0 && prefix === undefined && sparsity === undefined && remote === undefined;
  if (isPlain) return loadAnyLanguageModel(path);
  let model = loadLanguageModel(path, { mayLackGroups: remote !== undefined });
  for (const group of groups) model = await attachLanguageGroup(model, group);
  if (prefix?.language) model = await useLanguagePrefix(model, prefix.language);
  model.tree.useSparsity(sparsity);
  await remote?.takeOver(model.tree, model.absent ?? new Map());
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
  { groups, prefix, sparsity, remote }: ModelUse,
): Promise<GeneratedText[]> {
  let model = loadJointModel(path, { mayLackGroups: remote !== undefined });
  try {
    for (const group of groups) model = await attachJointGroup(model, group);
    if (prefix) model = await usePrefix(model, prefix);
    model.tree.useSparsity(sparsity);
    if (remote) await takeOverJointGroups(model, remote);
    return await continueText(model, prompt, decoding);
  } finally {
    model.dispose();
  }
}
