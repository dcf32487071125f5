import { resolve } from 'node:path';
import { fromOfficial, loadTokenizer, OFFICIAL_NORM_ACTIVATIONS, TokenizerConfig } from '#language';
import type { Command } from '#src/cli';
import { parseConfig } from '#src/config';
import { ConfigError } from '#src/errors';
import { readSafetensors } from '#src/storage';
import { writeCheckpoint } from '#src/training';

/** `tokenfuse convert`: official TokenFormer checkpoints to ours. */
export const convertCommand: Command = {
  name: 'convert',
  summary: 'Convert a language model with official parameter names to a tokenfuse checkpoint',
  details:
    'Reads safetensors with names such as sequential.2.attention.query.key_param_tokens. Heads, rotary share, activation and sequence length come from the metadata h, rot, act, seq, or from the options.',
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
    encoding: { description: 'tiktoken encoding that goes with it (default gpt2)', placeholder: 'name' },
  },
  run: async (args, output) => {
    const [weights, out] = args.positionals;
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
    const config = { language: converted.config, tokenizer, tokenizerFingerprint: loaded.fingerprint };
    loaded.dispose();
    const outDir = resolve(out);
    writeCheckpoint(outDir, {
      model: { kind: 'language', config },
      tensors: converted.tensors,
      assets: new Map(),
    });
    output.line(`${converted.tensors.size} tensors written to ${outDir}`);
    return { outDir, config: converted.config };
  },
};
