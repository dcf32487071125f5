import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseConfig } from '#src/config';
import { UserError } from '#src/errors';
import {
  type HostTensor,
  readBytes,
  readJson,
  readSafetensors,
  writeFileAtomic,
  writeJsonAtomic,
  writeSafetensors,
} from '#src/storage';

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

/** The state of training. All random streams are named by the seed and a counter, so these numbers are all of it. */
const TrainingState = z.strictObject({
  step: z.int().min(0),
  seed: z.int(),
  /** Micro-batches consumed: the position in the data. */
  dataPosition: z.int().min(0),
  bestValue: z.number().nullable(),
  bestStep: z.int().nullable(),
});
export type TrainingState = z.output<typeof TrainingState>;

/** A complete model on disk or about to be. */
export interface Checkpoint {
  readonly model: ModelDescription;
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** Files that travel with the model, such as its tokenizer. */
  readonly assets: ReadonlyMap<string, Uint8Array>;
}

const MODEL_FILES = ['model.safetensors', 'model.json', 'optimizer.safetensors', 'state.json'];

/** Writes a checkpoint under a temporary name and renames it; an existing folder of that name is replaced. */
export function writeCheckpoint(
  directory: string,
  { model, tensors, assets }: Checkpoint,
  training?: { optimizer: ReadonlyMap<string, HostTensor>; state: TrainingState },
): void {
  const aside = `${directory}.${process.pid}.tmp`;
  const removeAside = (): void => {
    if (existsSync(aside)) rmSync(aside, { recursive: true });
  };
  try {
    removeAside();
    writeSafetensors(join(aside, 'model.safetensors'), tensors, { format: 'tokenfuse', kind: model.kind });
    writeJsonAtomic(join(aside, 'model.json'), { format: CHECKPOINT_FORMAT, ...model });
    for (const [name, bytes] of assets) writeFileAtomic(join(aside, name), bytes);
    if (training) {
      writeSafetensors(join(aside, 'optimizer.safetensors'), training.optimizer);
      writeJsonAtomic(join(aside, 'state.json'), training.state);
    }
    rmSync(directory, { recursive: true, force: true });
    renameSync(aside, directory);
  } catch (error) {
    removeAside();
    throw error;
  }
}

/** The checkpoint folder of `path`: itself, or the best (else the last) one of a run directory. */
export function findCheckpoint(path: string, prefer: 'best' | 'last' = 'best'): string {
  if (!existsSync(path) || !statSync(path).isDirectory()) {
    throw new UserError(`cannot find a model at ${path}: expected a run directory or a checkpoint folder`);
  }
  if (existsSync(join(path, 'model.json'))) return path;
  for (const name of prefer === 'best' ? ['best', 'last'] : ['last']) {
    const pointer = join(path, 'checkpoints', `${name}.json`);
    if (existsSync(pointer)) {
      const { directory } = parseConfig(
        readJson(pointer, 'checkpoint pointer'),
        z.strictObject({ directory: z.string() }),
        pointer,
      );
      return join(path, 'checkpoints', directory);
    }
  }
  throw new UserError(`cannot find a model at ${path}: it has no model.json and no checkpoints/last.json`);
}

/** Reads a checkpoint folder's description without its tensors. */
export function readModelDescription(directory: string): ModelDescription {
  const path = join(directory, 'model.json');
  const { kind, config } = parseConfig(readJson(path, 'model description'), ModelFile, path);
  return { kind, config };
}

/** Reads a whole checkpoint folder. */
export function readCheckpoint(directory: string): Checkpoint {
  const assets = new Map<string, Uint8Array>();
  for (const name of readdirSync(directory)) {
    if (!MODEL_FILES.includes(name)) assets.set(name, readBytes(join(directory, name), 'model file'));
  }
  const { tensors } = readSafetensors(join(directory, 'model.safetensors'));
  return { model: readModelDescription(directory), tensors, assets };
}

/** Reads what resuming from a checkpoint needs. */
export function readTrainingState(directory: string): { optimizer: Map<string, HostTensor>; state: TrainingState } {
  return {
    optimizer: readSafetensors(join(directory, 'optimizer.safetensors')).tensors,
    state: readProgress(directory),
  };
}

/** Reads a checkpoint's training state without its optimizer. */
export function readProgress(directory: string): TrainingState {
  const path = join(directory, 'state.json');
  return parseConfig(readJson(path, 'training state'), TrainingState, path);
}

/** Points `checkpoints/<name>.json` of a run at a checkpoint folder and removes folders that nothing points at. */
export function pointAt(runDir: string, names: readonly ('best' | 'last')[], directoryName: string): void {
  const folder = join(runDir, 'checkpoints');
  for (const name of names) writeJsonAtomic(join(folder, `${name}.json`), { directory: directoryName });
  const kept = new Set(
    ['best', 'last'].flatMap((name) => {
      const pointer = join(folder, `${name}.json`);
      return existsSync(pointer) ? [(readJson(pointer, 'checkpoint pointer') as { directory: string }).directory] : [];
    }),
  );
  for (const entry of readdirSync(folder)) {
    if (entry.startsWith('step-') && !kept.has(entry)) rmSync(join(folder, entry), { recursive: true, force: true });
  }
}
