import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { bpeEncoding, createTokenizer, isJsonlFile, readTextDocuments, trainBpe, writeBpeModel } from '#language';
import type { Arguments, Command } from '#src/cli';
import { ConfigError } from '#src/errors';

/** `tokenfuse tokenizer train`: a byte-level BPE on the user's text, written as one `tokenizer.json`. */
export const tokenizerTrainCommand: Command = {
  name: 'tokenizer train',
  summary: 'Train a byte-level BPE tokenizer on text or JSONL files',
  details: 'Deterministic: the same files and options give the same tokenizer.json, byte for byte.',
  positionals: [{ name: 'files', description: 'text files, or JSONL files (.jsonl, .ndjson)', rest: true }],
  options: {
    'vocab-size': { placeholder: 'N', description: 'tokens wanted: 256 bytes, merges and <|endoftext|> (required)' },
    out: { placeholder: 'FILE', description: 'the tokenizer file to write (required), for example tokenizer.json' },
    'min-frequency': { placeholder: 'N', description: 'merge only pairs seen at least N times (default 2)' },
    field: { placeholder: 'NAME', description: 'the field of JSONL lines that holds the text (default text)' },
  },
  async run(args, output) {
    const { files, out, vocabSize, minFrequency, field } = readArguments(args);
    const model = trainBpe({ files, vocabSize, minFrequency, field });
    const tokenizer = createTokenizer(bpeEncoding(model));
    let bytes = 0;
    let tokens = 0;
    for (const path of files) {
      for (const pieces of readTextDocuments(path, { documents: 'file', field })) {
        for (const piece of pieces) {
          bytes += Buffer.byteLength(piece);
          tokens += tokenizer.encode(piece).length;
        }
      }
    }
    const { fingerprint } = tokenizer;
    const actualVocabSize = tokenizer.vocabSize;
    tokenizer.dispose();
    writeBpeModel(out, model);
    const bytesPerToken = bytes / tokens;
    const short = `; ${vocabSize} were asked for, but no further pair occurs ${minFrequency} times`;
    output.line(`vocab size       ${actualVocabSize}${actualVocabSize < vocabSize ? short : ''}`);
    output.line(`bytes per token  ${bytesPerToken.toFixed(3)} (${bytes} bytes, ${tokens} tokens)`);
    output.line(`written to       ${out}`);
    return {
      out,
      vocabSize: actualVocabSize,
      requestedVocabSize: vocabSize,
      bytes,
      tokens,
      bytesPerToken,
      trainedOn: model.trainedOn,
      fingerprint,
    };
  },
};

/** Every problem with the command line at once, before any work. */
function readArguments(args: Arguments) {
  const problems: string[] = [];
  const integer = (name: string, fallback?: number): number => {
    const text = args.text(name);
    if (text === undefined && fallback !== undefined) return fallback;
    const value = text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value)) problems.push(`--${name}: expected a whole number, got ${text ?? 'nothing'}`);
    return value;
  };
  const files = args.positionals;
  if (files.length === 0) problems.push('files: expected at least one text or JSONL file, got none');
  const vocabSize = integer('vocab-size');
  const minFrequency = integer('min-frequency', 2);
  const out = args.text('out') ?? '';
  if (out === '') problems.push('--out: expected the tokenizer file to write, got nothing');
  else if (existsSync(out) && statSync(out).isDirectory()) problems.push(`--out: expected a file, ${out} is a folder`);
  else if (files.some((file) => resolve(file) === resolve(out))) {
    problems.push(`--out: expected a new file, ${out} is one of the texts to train on`);
  }
  const field = args.text('field');
  if (field !== undefined && !files.some(isJsonlFile)) {
    problems.push('--field: expected a .jsonl or .ndjson file among the files; plain text has no fields');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { files, vocabSize, minFrequency, out, field: field ?? 'text' };
}
