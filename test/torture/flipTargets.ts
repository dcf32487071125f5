import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { EVALUATION, readEvaluation } from '#evaluation';
import { PROGRAM } from '#experiments';
import { loadJointModel, MERGE_REPORT, openCaptionLog, unmerge } from '#fusion';
import { Decoding, loadTokenizer, openPackedText } from '#language';
import { runCli } from '#src/cli';
import { contentHashes } from '#src/data';
import { UserError } from '#src/errors';
import { readGroupFile } from '#src/groups';
import { readJson, sha256 } from '#src/storage';
import { type Checkpoint, findCheckpoint, readCheckpoint, readTrainingState } from '#src/training';
import { packImages } from '#vision';
import { filesBelow, folderContent } from './folderContent.js';

/** Files that are read together. */
export interface FlipTarget {
  readonly name: string;
  /** How often it is drawn: whole commands less. */
  readonly weight: number;
  /** Those of which a bit may flip. */
  readonly files: readonly string[];
  /** Reads all of it as the program does, and names its content by a hash. */
  load(): Promise<string>;
  /** The hash of the content as it was written. */
  readonly content: string;
  /** Puts everything back. */
  restore(): Promise<void>;
}

/** Copies of what the workshop holds, below `folder`. */
export async function flipTargets(folder: string, workshop: string): Promise<FlipTarget[]> {
  const copy = (name: string): string => {
    const to = join(folder, name);
    rmSync(to, { recursive: true, force: true });
    mkdirSync(dirname(to), { recursive: true });
    cpSync(join(workshop, name), to, { recursive: true });
    return to;
  };
  const targets = ['vision', 'language', 'align'].map((name) => runTarget(copy(name)));
  return [
    ...(await Promise.all(targets)),
    await mergedTarget(copy('merged'), join(folder, 'parts')),
    await imageCacheTarget(join(folder, 'images-cache'), workshop),
    await textCacheTarget(join(folder, 'text-cache'), workshop),
    await memoTarget(join(folder, 'memo-cache'), workshop),
    await groupTarget(copy('tune/captions.safetensors')),
    await captionLogTarget(copy('captions'), workshop),
    await evaluationTarget(copy('evaluation')),
    ...(await commandTargets(join(folder, 'commands'), workshop)),
  ];
}

/** Some through whole commands: a reader that checks is of use only where it is called. */
async function commandTargets(place: string, workshop: string): Promise<FlipTarget[]> {
  rmSync(place, { recursive: true, force: true });
  for (const name of ['merge.yaml', 'vision', 'language', 'align', 'data/test_seen/images']) {
    cpSync(join(workshop, name), join(place, name), { recursive: true });
  }
  const printed = (words: readonly string[]) => async (): Promise<string> => hashOf(await printedBy(words, place));
  const written = (words: readonly string[], out: string) => async (): Promise<string> => {
    rmSync(join(place, out), { recursive: true, force: true });
    await printedBy(words, place);
    return hashOf([...folderContent(join(place, out))]);
  };
  const inBest =
    (name: string) =>
    (path: string): boolean =>
      join(place, path).startsWith(findCheckpoint(join(place, name))) && !/optimizer|state/.test(path);
  const [language, align] = [inBest('language'), inBest('align')];
  const caption = ['caption', 'align', 'data/test_seen/images', '--max-tokens', '4'];
  return [
    await target('generate', place, printed(['generate', 'language', 'a', '--max-tokens', '4']), language, 1),
    await target('caption', place, printed(caption), align, 1),
    await target('unmerge', place, written(['unmerge', 'align', 'parts'], 'parts'), align, 1),
    await target('merge', place, written(['merge', 'merge.yaml'], 'merged'), language, 1),
  ];
}

/** What a command prints, run in this process. @throws UserError with what it says when it fails */
async function printedBy(words: readonly string[], folder: string): Promise<string> {
  let [stdout, stderr] = ['', ''];
  process.chdir(folder);
  const code = await runCli(PROGRAM, words, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  if (code === 0) return stdout;
  if (!/^(tokenfuse: [^\p{Cc}]+\n)+$/u.test(stderr)) throw new Error(`exit code ${code}: ${stderr}`);
  throw new UserError(stderr.trim());
}

async function target(
  name: string,
  folder: string,
  load: () => Promise<string> | string,
  isTouched: (path: string) => boolean = () => true,
  weight = 12,
): Promise<FlipTarget> {
  const content = await load();
  const whole = new Map(filesBelow(folder).map((path) => [path, readFileSync(join(folder, path))]));
  return {
    ...{ name, weight },
    files: [...whole.keys()].filter(isTouched).map((path) => join(folder, path)),
    content,
    load: async () => load(),
    restore: async () => {
      for (const path of filesBelow(folder)) if (!whole.has(path)) rmSync(join(folder, path));
      for (const [path, bytes] of whole) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), bytes);
      }
    },
  };
}

/** Everything that going on from a run reads: both pointers, models, optimizer, progress. */
function runTarget(run: string): Promise<FlipTarget> {
  const load = (): string => {
    const best = readCheckpoint(findCheckpoint(run));
    const last = findCheckpoint(run, 'last');
    const { optimizer, state } = readTrainingState(last);
    return hashOf(contentOf(best), contentOf(readCheckpoint(last)), [...optimizer], state);
  };
  return target('run', run, load, (path) => path.startsWith('checkpoints'));
}

function mergedTarget(merged: string, parts: string): Promise<FlipTarget> {
  const load = (): string => {
    rmSync(parts, { recursive: true, force: true });
    unmerge(merged, join(parts, 'vision'), join(parts, 'language'));
    loadJointModel(merged).dispose();
    const backbones = ['vision', 'language'].map((name) => contentOf(readCheckpoint(join(parts, name))));
    return hashOf(
      contentOf(readCheckpoint(merged)),
      ...backbones,
      readJson(join(merged, MERGE_REPORT), 'merge report'),
    );
  };
  return target('merged model', merged, load);
}

function imageCacheTarget(cacheDir: string, workshop: string): Promise<FlipTarget> {
  const load = async (): Promise<string> => {
    const settings = { imageSize: 12, resize: 'stretch', background: [255, 255, 255], cacheDir } as const;
    const pack = await packImages(imagesOf(workshop), settings);
    const pixels = new Uint8Array(pack.count * 12 * 12 * 3);
    for (let i = 0; i < pack.count; i++) pack.read(i, pixels, i * 12 * 12 * 3);
    pack.close();
    return hashOf(pixels, pack.broken);
  };
  return target('image cache', cacheDir, load, (path) => !path.startsWith('hashes-'));
}

function textCacheTarget(cacheDir: string, workshop: string): Promise<FlipTarget> {
  const load = (): string => {
    const tokenizer = loadTokenizer({ kind: 'bpe', path: 'tokenizer/tokenizer.json' }, { baseDir: workshop });
    const files = [join(workshop, 'data/language/val.txt')];
    const text = openPackedText(files, { documents: 'line', field: 'text' }, tokenizer, cacheDir);
    const content = hashOf(text.read(0, text.numTokens), text.documentStarts);
    text.dispose();
    tokenizer.dispose();
    return content;
  };
  return target('text cache', cacheDir, load);
}

async function memoTarget(cacheDir: string, workshop: string): Promise<FlipTarget> {
  const load = async (): Promise<string> => {
    const { hashes, remember } = await contentHashes(imagesOf(workshop), cacheDir, 8);
    remember();
    return hashOf(hashes);
  };
  mkdirSync(cacheDir, { recursive: true });
  await load();
  // Files that have just been written are not remembered.
  for (; filesBelow(cacheDir).length === 0; await load()) await wait(500);
  return target('content hashes', cacheDir, load);
}

function captionLogTarget(folder: string, workshop: string): Promise<FlipTarget> {
  const path = join(folder, 'seen.jsonl');
  const { model, decoding } = JSON.parse(readFileSync(path, 'utf8').split('\n')[0]) as {
    model: string;
    decoding: unknown;
  };
  const images = imagesOf(workshop).map((image, i) => ({ id: i + 1, fileName: image.key, path: image.path }));
  let whole: string[] | undefined;
  const load = (): string => {
    const log = openCaptionLog(path, { model, decoding: Decoding.parse(decoding) }, images);
    log.close();
    const captions = [...log.captions].map((entry) => JSON.stringify(entry));
    whole ??= captions;
    // Without its line feed the last line counts as cut short, and its image is captioned again.
    const isContinued = captions.length >= whole.length - 1 && captions.every((entry, i) => entry === whole?.[i]);
    return hashOf(isContinued ? whole : captions);
  };
  return target('caption log', folder, load, (file) => file.endsWith('.jsonl'));
}

function groupTarget(path: string): Promise<FlipTarget> {
  return target('group', dirname(path), () => {
    const { description, tensors } = readGroupFile(path);
    return hashOf(description, [...tensors]);
  });
}

function evaluationTarget(folder: string): Promise<FlipTarget> {
  return target(
    'evaluation',
    folder,
    () => hashOf(readEvaluation(folder)),
    (path) => path === EVALUATION,
  );
}

function imagesOf(workshop: string) {
  const folder = join(workshop, 'data/test_seen/images');
  return filesBelow(folder).map((key) => ({ key, path: join(folder, key) }));
}

function contentOf({ model, tensors, assets }: Checkpoint): unknown[] {
  return [model, [...tensors], [...assets]];
}

function hashOf(...values: readonly unknown[]): string {
  const text = JSON.stringify(values, (_, value: unknown) =>
    ArrayBuffer.isView(value)
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
      : value,
  );
  return sha256(Buffer.from(text));
}
