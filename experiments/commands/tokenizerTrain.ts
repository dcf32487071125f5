import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { captionSourceArgument } from '#captions/formats';
import {
  bpeEncoding,
  createTokenizer,
  isJsonlFile,
  readTextDocuments,
  resolveTextSource,
  type TextSource,
  textSourceName,
  trainBpe,
  writeBpeModel,
} from '#language';
import type { Arguments, Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { parseExperimentOf } from '../config/parseExperiment.js';
import type { TokenizerExperiment } from '../config/pipelineConfig.js';
import { EXPERIMENT_OPTIONS } from '../options/index.js';
import { writeTokenizerRecord } from '../stages/index.js';

const { set, root } = EXPERIMENT_OPTIONS;

/** `tokenfuse tokenizer train`: a byte-level BPE on the user's text, written as one `tokenizer.json`. */
export const tokenizerTrainCommand: Command = {
  name: 'tokenizer train',
  summary: 'Train a byte-level BPE tokenizer from an experiment file, or from text or JSONL files',
  details: 'Deterministic: the same files and options give the same tokenizer.json, byte for byte.',
  positionals: [
    {
      name: 'files',
      description:
        'an experiment of kind tokenizer (.yaml), or text files, JSONL files (.jsonl, .ndjson), captions as {format: coco, path: …}',
      rest: true,
    },
  ],
  options: {
    'vocab-size': { placeholder: 'n', description: 'tokens wanted: 256 bytes, merges and <|endoftext|> (for files)' },
    out: { placeholder: 'file', description: 'the tokenizer file to write (default: <root>/<name>/tokenizer.json)' },
    'min-frequency': { placeholder: 'n', description: 'merge only pairs seen at least n times (default 2; for files)' },
    field: { placeholder: 'name', description: 'the field of JSONL lines with the text (default text; for files)' },
    set: { ...set, description: 'override a key of the experiment: --set vocabSize=1024' },
    root: { ...root, description: "where the experiment's paths start (default: here)" },
  },
  async run(args, output) {
    const { files, out, vocabSize, minFrequency, field, experiment } = readArguments(args);
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
    if (experiment !== undefined) writeTokenizerRecord(experiment, out);
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

interface Settings {
  readonly files: readonly TextSource[];
  readonly vocabSize: number;
  readonly minFrequency: number;
  readonly out: string;
  readonly field: string;
  /** The experiment that asked for it; undefined for files on the command line. */
  readonly experiment?: TokenizerExperiment;
}

const isExperimentFile = (path: string): boolean => /\.ya?ml$/i.test(path);

/** Every problem with the command line at once, before any work. */
function readArguments(args: Arguments): Settings {
  const problems: string[] = [];
  const settings = args.positionals.some(isExperimentFile)
    ? experimentSettings(args, problems)
    : fileSettings(args, problems);
  const { files, out, field } = settings;
  if (out !== '' && existsSync(out) && statSync(out).isDirectory()) {
    problems.push(`--out: expected a file, ${out} is a folder`);
  } else if (files.some((file) => resolve(textSourceName(file)) === resolve(out))) {
    problems.push(`--out: expected a new file, ${out} is one of the texts to train on`);
  }
  if (field !== undefined && !files.some(isJsonlFile)) {
    const key = settings.experiment === undefined ? '--field' : 'field';
    problems.push(`${key}: expected a .jsonl or .ndjson file among the files; plain text has no fields`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...settings, field: field ?? 'text' };
}

type GivenSettings = Omit<Settings, 'field'> & { readonly field: string | undefined };

function experimentSettings(args: Arguments, problems: string[]): GivenSettings {
  const [path, ...others] = args.positionals;
  if (others.length > 0) {
    throw new ConfigError(`tokenizer train: expected one experiment file alone, got ${args.positionals.join(', ')}`);
  }
  for (const name of ['vocab-size', 'min-frequency', 'field']) {
    if (args.text(name) === undefined) continue;
    const key = name.replace(/-(.)/, (_, letter: string) => letter.toUpperCase());
    problems.push(`--${name}: expected text files with it; of an experiment change the key: --set ${key}=…`);
  }
  const experiment = parseExperimentOf(path, ['tokenizer'], args.texts('set'));
  const from = resolve(args.text('root') ?? '.');
  const { name, files, vocabSize, minFrequency, field } = experiment;
  return {
    files: files.map((file) => resolveTextSource(file, from)),
    ...{ vocabSize, minFrequency, field, experiment },
    out: args.text('out') ?? join(from, name, 'tokenizer.json'),
  };
}

function fileSettings(args: Arguments, problems: string[]): GivenSettings {
  const integer = (name: string, fallback?: number): number => {
    const text = args.text(name);
    if (text === undefined && fallback !== undefined) return fallback;
    const value = text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value)) problems.push(`--${name}: expected a whole number, got ${text ?? 'nothing'}`);
    return value;
  };
  const files = args.positionals.map(captionSourceArgument);
  if (files.length === 0) problems.push('files: expected an experiment file, or text or JSONL files, got none');
  const settings = { files, vocabSize: integer('vocab-size'), minFrequency: integer('min-frequency', 2) };
  const out = args.text('out') ?? '';
  if (out === '') problems.push('--out: expected the tokenizer file to write, got nothing');
  for (const name of ['set', 'root']) {
    const given = args.text(name) !== undefined || args.texts(name).length > 0;
    if (given) problems.push(`--${name}: expected an experiment file with it, got text files`);
  }
  return { ...settings, out, field: args.text('field') };
}
