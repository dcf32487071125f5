import { createHash } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { parseConfig } from '#src/config';
import { ConfigError, UserError } from '#src/errors';
import {
  draftFolder,
  type FolderDraft,
  type HostTensor,
  jsonText,
  parseJson,
  type SafetensorsHeader,
  sha256,
  writeFileAtomic,
  writeSafetensors,
} from '#src/storage';
import { type ParameterShapes, parameterProblems } from '#src/tokenformer';
import { absentGroups, type GroupIdentities, groupTensors } from './absentGroups.js';
import { type CheckpointFolder, MODEL_FILES, openCheckpointFolder } from './checkpointFolder.js';
import { type FileDigest, MANIFEST, manifestOf, readManifest } from './manifest.js';
import type { TrainingState } from './trainingState.js';

/**
 * Written into every model.json. 1, still read, has other names in `config`: `vision` or `language` for what is now
 * `backbone`; the schemas of these configurations take both.
 */
const CHECKPOINT_FORMAT = 2;

const ModelFile = z.strictObject({
  format: z.union([z.literal(1), z.literal(CHECKPOINT_FORMAT)]),
  kind: z.enum(['vision', 'language', 'fusion']),
  config: z.record(z.string(), z.unknown()),
});
/** Description of a checkpoint's model; `config` is checked by the room that owns the kind. */
export type ModelDescription = Omit<z.output<typeof ModelFile>, 'format'>;

/** A complete model on disk or about to be. */
export interface Checkpoint {
  readonly model: ModelDescription;
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** Files that travel with the model, such as its tokenizer. */
  readonly assets: ReadonlyMap<string, Uint8Array>;
}

/** What resuming from a checkpoint needs besides the model; without moments it only says what training went before. */
export interface ResumeData {
  readonly optimizer?: ReadonlyMap<string, HostTensor>;
  /** Of objectives with a teacher (`TrainingTask.teacher`). */
  readonly teacher?: ReadonlyMap<string, HostTensor> | undefined;
  readonly state: TrainingState;
}

/** A kind of model as its room describes it. */
export interface ModelKind<Config> {
  readonly kind: ModelDescription['kind'];
  /** Such as `a language model`. */
  readonly noun: string;
  readonly schema: z.ZodType<Config>;
  /** New parameters, everything that a file of such a model holds; drawn by `seed` when they are first read. @throws UserError when no model could have been trained with the configuration */
  parameters(config: Config, seed?: number): ReadonlyMap<string, HostTensor>;
}

/** A model that was read and checked. */
export interface StoredModel<Config> extends Pick<Checkpoint, 'tensors' | 'assets'> {
  readonly config: Config;
  /** Groups of a device checkpoint that another process holds. */
  readonly absent: GroupIdentities;
}

/**
 * Writes a checkpoint and its manifest under a temporary name, flushes all to disk and renames it. In a run, which repeats
 * steps after it was interrupted, the checkpoint of the same step is replaced; nothing else is.
 *
 * @throws ConfigError when `directory` holds something else
 */
export function writeCheckpoint(
  directory: string,
  { model, tensors, assets }: Checkpoint,
  resumeData?: ResumeData,
): void {
  const draft = draftFolder(directory);
  const digests = new Map<string, FileDigest>();
  const writeTensors = (name: string, ...content: [ReadonlyMap<string, HostTensor>, Record<string, string>?]): void => {
    const hash = createHash('sha256');
    let bytes = 0;
    writeSafetensors(join(draft.path, name), content[0], content[1], (chunk) => {
      hash.update(chunk);
      bytes += chunk.byteLength;
    });
    digests.set(name, { bytes, sha256: hash.digest('hex') });
  };
  const writeBytes = (name: string, bytes: Uint8Array): void => {
    writeFileAtomic(join(draft.path, name), bytes);
    digests.set(name, { bytes: bytes.byteLength, sha256: sha256(bytes) });
  };
  try {
    writeTensors('model.safetensors', tensors, { format: 'tokenfuse', kind: model.kind });
    writeBytes('model.json', Buffer.from(jsonText({ format: CHECKPOINT_FORMAT, ...model })));
    for (const [name, bytes] of assets) writeBytes(name, bytes);
    if (resumeData) {
      if (resumeData.optimizer) writeTensors('optimizer.safetensors', resumeData.optimizer);
      if (resumeData.teacher) writeTensors('teacher.safetensors', resumeData.teacher);
      writeBytes('state.json', Buffer.from(jsonText(resumeData.state)));
    }
    writeFileAtomic(join(draft.path, MANIFEST), manifestOf(digests).text);
    publish(draft, directory, resumeData !== undefined);
  } finally {
    draft.discard();
  }
}

function publish(draft: FolderDraft, directory: string, mayReplace: boolean): void {
  if (!existsSync(directory) || readdirSync(directory).length === 0) {
    draft.publish();
    return;
  }
  // The same again, as after an interruption between a checkpoint and the pointer to it.
  if (holdsSameCheckpoint(draft.path, directory)) return;
  if (!mayReplace || !/^step-\d+$/.test(basename(directory)) || !existsSync(join(directory, 'model.json'))) {
    throw new ConfigError(`${directory}: exists already; expected a new or empty folder for a checkpoint`);
  }
  // The pointers name the former one until `pointAt`: they never name a checkpoint that is missing.
  const former = formerOf(directory);
  if (existsSync(former)) removeCheckpoint(directory);
  else renameSync(directory, former);
  draft.publish();
}

/** Where the checkpoint of a step is while one of the same step takes its place. */
export function formerOf(directory: string): string {
  return `${directory}.former`;
}

/** Whether two folders hold the same files, by their manifests, each file checked. */
export function holdsSameCheckpoint(one: string, other: string): boolean {
  try {
    const [a, b] = [one, other].map((directory) => {
      const digest = readManifest(directory)?.sha256;
      openCheckpointFolder(directory).verifyOthers();
      return digest;
    });
    return a !== undefined && a === b;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

/** Removes the files of a checkpoint, and its folder unless something else lies in it. */
export function removeCheckpoint(directory: string): void {
  const names = new Set([...MODEL_FILES, 'tokenizer.json', 'merge_report.json']);
  try {
    for (const name of readManifest(directory)?.files.keys() ?? []) names.add(name);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  // The manifest goes last: as long as it is there, the rest can be named.
  for (const name of [...names].sort((a, b) => Number(a === MANIFEST) - Number(b === MANIFEST))) {
    rmSync(join(directory, name), { force: true });
  }
  if (existsSync(directory) && readdirSync(directory).length === 0) rmdirSync(directory);
}

/** Adds a file to a checkpoint that nobody reads yet. */
export function addToCheckpoint(directory: string, name: string, bytes: Uint8Array): void {
  writeFileAtomic(join(directory, name), bytes);
  const files = new Map(readManifest(directory)?.files);
  files.set(name, { bytes: bytes.byteLength, sha256: sha256(bytes) });
  writeFileAtomic(join(directory, MANIFEST), manifestOf(files).text);
}

/** Reads a checkpoint folder's description without its tensors. */
export function readModelDescription(directory: string): ModelDescription {
  return descriptionIn(openCheckpointFolder(directory));
}

function descriptionIn(folder: CheckpointFolder): ModelDescription {
  const path = join(folder.directory, 'model.json');
  const json = parseJson(folder.readBytes('model.json', 'model description'), path, 'model description');
  const { kind, config } = parseConfig(json, ModelFile, path);
  return { kind, config };
}

/** Reads the configuration of a model. @throws UserError when the folder holds another kind */
export function readModelConfig<Config>(folder: CheckpointFolder, modelKind: ModelKind<Config>): Config {
  const { kind, config } = descriptionIn(folder);
  if (kind !== modelKind.kind) {
    throw new UserError(`${folder.directory}: expected ${modelKind.noun}, got a ${kind} model`);
  }
  return parseConfig(config, modelKind.schema, join(folder.directory, 'model.json'));
}

/**
 * Reads a model whole: each file compared with the manifest, the tensors with what the configuration implies.
 *
 * @param mayLackGroups takes a device checkpoint too
 * @throws UserError naming the file, one line per problem
 */
export function readModel<Config>(
  directory: string,
  modelKind: ModelKind<Config>,
  { mayLackGroups = false }: { readonly mayLackGroups?: boolean } = {},
): StoredModel<Config> {
  const folder = openCheckpointFolder(directory);
  const config = readModelConfig(folder, modelKind);
  const absent = absentGroups(folder);
  if (absent.size > 0 && !mayLackGroups) {
    throw new UserError(
      `${directory}: a device checkpoint without ${absent.size} groups, such as '${[...absent.keys()][0]}'; expected a whole model, or generate, caption or evaluate with --remote and the url of 'tokenfuse serve-params'`,
    );
  }
  const expected = new Map(parametersOf(folder, modelKind, config));
  for (const name of [...absent.keys()].flatMap(groupTensors)) expected.delete(name);
  return { config, absent, ...contentOf(folder, refuseOthersThan(expected)) };
}

/** The parameters that a checkpoint's configuration implies. @throws UserError naming its model.json */
export function parametersOf<Config>(
  { directory }: CheckpointFolder,
  { parameters }: ModelKind<Config>,
  config: Config,
): ParameterShapes {
  try {
    return parameters(config);
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${join(directory, 'model.json')}: ${error.message}`);
    throw error;
  }
}

/** Reads a checkpoint folder as it is: its files are compared with the manifest, its tensors with nothing. */
export function readCheckpoint(directory: string): Checkpoint {
  const folder = openCheckpointFolder(directory);
  return { model: descriptionIn(folder), ...contentOf(folder) };
}

function contentOf(
  folder: CheckpointFolder,
  check?: (header: SafetensorsHeader) => void,
): Pick<Checkpoint, 'tensors' | 'assets'> {
  const assets = new Map(folder.assetNames.map((name) => [name, folder.readBytes(name, 'model file')]));
  const tensors = folder.readTensors('model.safetensors', check);
  folder.verifyOthers();
  return { tensors, assets };
}

/** Refuses a file that holds anything but certain parameters. @throws UserError with one line per problem */
export function refuseOthersThan(parameters: ParameterShapes): (header: SafetensorsHeader) => void {
  return (header) => {
    const problems = parameterProblems(header, parameters);
    if (problems.length > 0) throw new UserError(problems.join('\n'));
  };
}
