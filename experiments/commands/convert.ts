import { resolve } from 'node:path';
import {
  type FromOfficial,
  fromOfficial,
  type LanguageModelConfig,
  loadTokenizer,
  OFFICIAL_NORM_ACTIVATIONS,
  TokenizerConfig,
  vocabularyProblem,
} from '#language';
import type { Command } from '#src/cli';
import { parseConfig } from '#src/config';
import { ConfigError, shownText } from '#src/errors';
import { inOutputEntry, readSafetensors, takenProblem } from '#src/storage';
import { writeCheckpoint } from '#src/training';
import { OVERWRITE_OPTION } from '../options/index.js';

/** At most so many tensors are named. */
const MAX_NAMED = 10;

/** `tokenfuse convert`: official TokenFormer checkpoints to ours. */
export const convertCommand: Command = {
  name: 'convert',
  summary: 'Convert a language model with official parameter names to a tokenfuse checkpoint',
  details:
    'Reads safetensors with names such as sequential.2.attention.query.key_param_tokens. Heads, rotary share, activation and sequence length come from the metadata h, rot, act, seq, or from the options. The output is tied to the embedding: a model with an output layer of its own is refused. Rows of the embedding beyond the encoding are never predicted.',
  positionals: [
    { name: 'weights.safetensors', description: 'the official weights' },
    { name: 'out', description: 'folder of the new checkpoint' },
  ],
  options: {
    heads: { description: 'heads of token-token attention', placeholder: 'n' },
    'rotary-share': {
      description: 'share of each head with rotary positions (released models: 0.25)',
      placeholder: 'x',
    },
    activation: { description: `one of ${OFFICIAL_NORM_ACTIVATIONS.join(', ')}`, placeholder: 'name' },
    'seq-len': { description: 'longest sequence (released models: 2048)', placeholder: 'n' },
    encoding: {
      description: 'tiktoken encoding that it was trained with (default gpt2, with a warning)',
      placeholder: 'name',
    },
    ...OVERWRITE_OPTION,
  },
  run: async (args, output) => {
    const [weights, out] = args.positionals;
    const outDir = resolve(out);
    const overwrite = { overwrite: args.flag('overwrite'), say: output.line };
    const taken = overwrite.overwrite ? undefined : takenProblem(outDir);
    if (taken !== undefined) throw new ConfigError(taken);
    const { tensors, metadata } = readSafetensors(weights);
    const setting = (option: string, key: string): string => {
      const value = args.text(option) ?? metadata[key];
      if (value === undefined)
        throw new ConfigError(`--${option}: expected a value, since ${weights} has no metadata '${key}'`);
      return value;
    };
    const converted = fromOfficial(
      tensors,
      {
        numHeads: Number(setting('heads', 'h')),
        rotaryShare: Number(setting('rotary-share', 'rot')),
        normActivation: setting('activation', 'act'),
        seqLen: Number(setting('seq-len', 'seq')),
      },
      weights,
    );
    const choice = { kind: 'tiktoken', encoding: args.text('encoding') ?? 'gpt2' };
    const tokenizer = parseConfig(choice, TokenizerConfig, '--encoding');
    const loaded = loadTokenizer(tokenizer, { baseDir: '.' });
    const { vocabSize, fingerprint } = loaded;
    const problem = vocabularyProblem(loaded, converted.config.vocabSize);
    loaded.dispose();
    if (problem) throw new ConfigError(`${weights}: ${problem}; name its encoding with --encoding`);
    const config: LanguageModelConfig = { backbone: converted.config, tokenizer, tokenizerFingerprint: fingerprint };
    await inOutputEntry(outDir, overwrite, () =>
      writeCheckpoint(outDir, { model: { kind: 'language', config }, tensors: converted.tensors, assets: new Map() }),
    );
    output.line(`${converted.tensors.size} tensors written to ${outDir}`);
    for (const line of remarks(converted, vocabSize, args.text('encoding') !== undefined)) output.line(line);
    return { outDir, config: converted.config, unused: converted.unused };
  },
};

/** What a user should know of a conversion that succeeded. */
function remarks({ config, unused }: FromOfficial, vocabSize: number, hasEncoding: boolean): string[] {
  const lines: string[] = [];
  if (unused.length > 0) {
    const named = unused.slice(0, MAX_NAMED).map((name) => shownText(name, 120));
    const more = unused.length > named.length ? `, … (${unused.length} in all)` : '';
    lines.push(`warning: tensors not used: ${named.join(', ')}${more}`);
  }
  if (config.vocabSize > vocabSize) {
    lines.push(
      `${config.vocabSize} rows for ${vocabSize} tokens: the vocabulary is padded, the rest is never predicted`,
    );
  }
  if (!hasEncoding) {
    lines.push(
      'warning: no --encoding given, gpt2 is assumed. The official TokenFormer models were trained with the tokenizer of GPT-NeoX-20B, which is not available here: their text would come out wrong',
    );
  }
  return lines;
}
