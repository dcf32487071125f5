import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { z } from 'zod';
import { bpeEncoding, readBpeModel } from './bpeModel.js';
import { createTokenizer, type Encoding, type Tokenizer } from './tokenizer.js';

/** Which tokenizer: one of tiktoken's encodings, or a `tokenizer.json` that `tokenfuse tokenizer train` wrote. */
export const TokenizerConfig = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('tiktoken'),
      encoding: z
        .enum(['gpt2', 'r50k_base', 'p50k_base', 'p50k_edit', 'cl100k_base', 'o200k_base'])
        .describe('name of the encoding'),
    })
    .describe("one of tiktoken's encodings"),
  z
    .strictObject({
      kind: z.literal('bpe'),
      // Inside a checkpoint the path starts at its folder.
      path: z.string().min(1).describe('the tokenizer.json that tokenfuse tokenizer train wrote'),
    })
    .describe('a tokenizer of your own'),
]);
export type TokenizerConfig = z.output<typeof TokenizerConfig>;

/** An encoding as npm `tiktoken` ships it. */
interface ShippedEncoding {
  readonly bpe_ranks: string;
  readonly special_tokens: Record<string, number>;
  readonly pat_str: string;
}

/**
 * Loads a tokenizer, without network access.
 *
 * @param options.baseDir the folder that a `bpe` path is relative to
 * @throws UserError when a tokenizer file is missing or inconsistent
 */
export function loadTokenizer(config: TokenizerConfig, options: { readonly baseDir: string }): Tokenizer {
  return createTokenizer(readEncoding(config, options));
}

/** What `loadTokenizer` makes a tokenizer of. */
export function readEncoding(config: TokenizerConfig, { baseDir }: { readonly baseDir: string }): Encoding {
  if (config.kind === 'bpe') return bpeEncoding(readBpeModel(resolve(baseDir, config.path)));
  const require = createRequire(import.meta.url);
  const shipped = require(`tiktoken/encoders/${config.encoding}.json`) as ShippedEncoding;
  return {
    name: config.encoding,
    ranks: shipped.bpe_ranks,
    specialTokens: shipped.special_tokens,
    pattern: shipped.pat_str,
  };
}
