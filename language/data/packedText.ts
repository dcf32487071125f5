/**
 * @file Text as a cached file of token ids: `tokens.bin` holds, for each document, the end-of-text id and its
 * tokens, and one end-of-text id after the last; `documents.bin` holds each document's share of it, as uint32 counts.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { RunError, UserError } from '#src/errors';
import {
  chunkDigests,
  clearLeftovers,
  draftFolder,
  openCheckedFile,
  publishEntry,
  readSealedJson,
  writeFileAtomic,
  writeSealedJson,
} from '#src/storage';
import {
  type DocumentSettings,
  hashTextSource,
  isJsonlFile,
  readTextDocuments,
  type TextSource,
  type Tokenizer,
  textSourceName,
} from '../tokenizer/index.js';

const FORMAT_VERSION = 2;
const FLUSH_TOKENS = 1 << 18;

export interface PackedText {
  /** The folder in the cache. */
  readonly folder: string;
  /** Whether the folder was there already and nothing was tokenized. */
  readonly reused: boolean;
  /** SHA-256 of each source file, in order. */
  readonly fileHashes: readonly string[];
  readonly numTokens: number;
  readonly numDocuments: number;
  /** Where each document's end-of-text id is in the stream, and last where the closing one is: [numDocuments + 1]. */
  readonly documentStarts: Float64Array;
  /** Tokens [start, end) of the stream. */
  read(start: number, end: number): Int32Array;
  dispose(): void;
}

const Meta = z.object({
  key: z.string(),
  bytesPerToken: z.union([z.literal(2), z.literal(4)]),
  numTokens: z.int().min(2),
  numDocuments: z.int().min(1),
  /** Of the chunks of tokens.bin, and of documents.bin. */
  digests: z.strictObject({ tokens: z.array(z.string()), documents: z.array(z.string()) }),
});
type Meta = z.infer<typeof Meta>;

/**
 * Tokenizes files into the cache, or finds them there: the key is the SHA-256 of the files' contents, the tokenizer's
 * fingerprint and the settings. A folder in the cache whose files have the wrong size is made again; tokens are checked as they
 * are read.
 *
 * @throws UserError for a file that is missing or malformed, no tokens at all, or a disk that refuses
 */
export function openPackedText(
  files: readonly TextSource[],
  settings: DocumentSettings,
  tokenizer: Tokenizer,
  cacheDir: string,
): PackedText {
  const fileHashes = files.map(hashTextSource);
  const sources = files.map((file, i) => [fileHashes[i], unitOf(file, settings)]);
  const identity = JSON.stringify([FORMAT_VERSION, tokenizer.fingerprint, sources]);
  const key = createHash('sha256').update(identity).digest('hex');
  const folder = join(cacheDir, `text-${key.slice(0, 24)}`);
  const kept = readMeta(folder, key);
  if (kept === undefined) writePackedText(folder, key, files, settings, tokenizer);
  const meta = kept ?? readMeta(folder, key);
  if (meta === undefined) throw new RunError(`${folder}: another process is changing this cache; run again`);
  return { folder, reused: kept !== undefined, fileHashes, ...openStream(folder, meta) };
}

/** What a document of a source is. */
function unitOf(source: TextSource, settings: DocumentSettings): string {
  if (typeof source !== 'string') return 'caption';
  return isJsonlFile(source) ? settings.field : settings.documents;
}

function openStream(folder: string, { bytesPerToken, numTokens, numDocuments, digests }: Meta) {
  const remedy = `delete ${folder} and run again`;
  const documents = openCheckedFile(join(folder, 'documents.bin'), digests.documents, remedy);
  const counts = Buffer.alloc(4 * numDocuments);
  documents.read(counts, 0, counts.length, 0);
  documents.close();
  const documentStarts = new Float64Array(numDocuments + 1);
  for (let i = 0; i < numDocuments; i++) documentStarts[i + 1] = documentStarts[i] + counts.readUInt32LE(4 * i);
  const tokens = openCheckedFile(join(folder, 'tokens.bin'), digests.tokens, remedy);
  return {
    numTokens,
    numDocuments,
    documentStarts,
    read: (start: number, end: number): Int32Array => {
      const values = bytesPerToken === 2 ? new Uint16Array(end - start) : new Uint32Array(end - start);
      const bytes = new Uint8Array(values.buffer);
      tokens.read(bytes, 0, bytes.length, start * bytesPerToken);
      return Int32Array.from(values);
    },
    dispose: tokens.close,
  };
}

/** The description of a cached folder, if it is whole. */
function readMeta(folder: string, key: string): Meta | undefined {
  try {
    const meta = Meta.parse(readSealedJson(join(folder, 'meta.json'), 'text cache'));
    const whole =
      meta.key === key &&
      statSync(join(folder, 'tokens.bin')).size === meta.numTokens * meta.bytesPerToken &&
      statSync(join(folder, 'documents.bin')).size === meta.numDocuments * 4;
    return whole ? meta : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the folder aside and renames it into place; a failure leaves nothing behind. */
function writePackedText(
  folder: string,
  key: string,
  files: readonly TextSource[],
  settings: DocumentSettings,
  tokenizer: Tokenizer,
): void {
  clearLeftovers(dirname(folder));
  const draft = draftFolder(folder);
  const bytesPerToken = tokenizer.vocabSize <= 65536 ? 2 : 4;
  const counts: number[] = [];
  const [tokensPath, documentsPath] = ['tokens.bin', 'documents.bin'].map((name) => join(draft.path, name));
  try {
    writeFileAtomic(tokensPath, tokenBytes(files, settings, tokenizer, bytesPerToken, counts));
    writeFileAtomic(documentsPath, new Uint8Array(Uint32Array.from(counts).buffer));
    const numTokens = counts.reduce((sum, count) => sum + count, 1);
    const digests = { tokens: chunkDigests(tokensPath), documents: chunkDigests(documentsPath) };
    const meta: Meta = { key, bytesPerToken, numTokens, numDocuments: counts.length, digests };
    const origin = { tokenizer: tokenizer.name, fingerprint: tokenizer.fingerprint };
    writeSealedJson(join(draft.path, 'meta.json'), { ...meta, ...origin });
    publishEntry(draft, folder, () => readMeta(folder, key) !== undefined);
  } finally {
    draft.discard();
  }
}

/** The bytes of `tokens.bin`, a buffer at a time; `counts` receives each document's tokens, end-of-text included. */
function* tokenBytes(
  files: readonly TextSource[],
  settings: DocumentSettings,
  tokenizer: Tokenizer,
  bytesPerToken: 2 | 4,
  counts: number[],
): Generator<Uint8Array> {
  const Ids = bytesPerToken === 2 ? Uint16Array : Uint32Array;
  let pending: Int32Array[] = [];
  let numPending = 0;
  const add = (ids: Int32Array): void => {
    pending.push(ids);
    numPending += ids.length;
  };
  const flush = (): Uint8Array => {
    const values = new Ids(numPending);
    let offset = 0;
    for (const ids of pending) {
      values.set(ids, offset);
      offset += ids.length;
    }
    pending = [];
    numPending = 0;
    return new Uint8Array(values.buffer);
  };
  const endOfText = Int32Array.of(tokenizer.endOfTextId);
  for (const file of files) {
    for (const document of readTextDocuments(file, settings)) {
      add(endOfText);
      let count = 1;
      for (const piece of document) {
        const ids = tokenizer.encode(piece);
        count += ids.length;
        add(ids);
        if (numPending >= FLUSH_TOKENS) yield flush();
      }
      counts.push(count);
    }
  }
  if (counts.length === 0) {
    throw new UserError(
      `${files.map(textSourceName).join(', ')}: empty dataset: expected at least one document with text, got none`,
    );
  }
  add(endOfText);
  yield flush();
}
