import { join } from 'node:path';
import { z } from 'zod';
import { parseConfig } from '#src/config';
import { shownText, UserError } from '#src/errors';
import { type HostTensor, parseJson, readSafetensorsHeader, readTensorBytes, sha256 } from '#src/storage';
import { type CheckpointDigests, openCheckpointFolder, readModelConfig } from '#src/training';
import { fusionParameters, type JointModelConfig } from './jointConfig.js';
import { JOINT_KIND } from './jointKind.js';
import type { MergePlan } from './mergePlan.js';
import type { MergeRecipe } from './recipe.js';

/** SHA-256 of a backbone tensor before the merge and of the same tensor inside the result. */
export interface TensorProvenance {
  readonly name: string;
  readonly from: 'vision' | 'language';
  readonly inputSha256: string;
  readonly outputSha256: string;
}

/** What a merge did: kept as `merge_report.json` beside the result. */
export interface MergeReport {
  readonly recipe: MergeRecipe;
  readonly parameters: MergePlan['parameters'];
  /** Digests of both backbones' checkpoints; reports of earlier versions have none. */
  readonly inputs?: CheckpointDigests | undefined;
  readonly tensors: readonly TensorProvenance[];
  /** True when every backbone tensor has the same bytes before and after. */
  readonly kept: boolean;
  /** What a backbone grew by since, in order; the hashes in `tensors` are those of the grown one. */
  readonly growths?: readonly RecordedGrowth[] | undefined;
}

/** A growth of a backbone inside a merged model. */
export interface RecordedGrowth {
  readonly backbone: 'vision' | 'language';
  readonly growth: unknown;
  readonly seed: number;
  /** The tensors that it changed, as they were: their rows and the SHA-256 of these. */
  readonly before: readonly { readonly name: string; readonly rows: number; readonly sha256: string }[];
}

/** Name of the report file in a merged checkpoint, and in those aligned from it. */
export const MERGE_REPORT = 'merge_report.json';

const ReportFile = z.looseObject({
  recipe: z.looseObject({}),
  inputs: z.record(z.string(), z.string().nullable()).optional(),
  parameters: z.strictObject({ vision: z.int(), language: z.int(), fusion: z.int() }),
  tensors: z.array(
    z.looseObject({
      name: z.string(),
      from: z.enum(['vision', 'language']),
      inputSha256: z.string(),
      outputSha256: z.string(),
    }),
  ),
  kept: z.boolean(),
  growths: z
    .array(
      z.strictObject({
        backbone: z.enum(['vision', 'language']),
        growth: z.unknown(),
        seed: z.int(),
        before: z.array(z.strictObject({ name: z.string(), rows: z.int(), sha256: z.string() })),
      }),
    )
    .optional(),
});

/**
 * Reads the merge report in a merged or aligned checkpoint.
 *
 * @throws UserError when there is none, or it is damaged
 */
export function readMergeReport(directory: string): MergeReport {
  const path = join(directory, MERGE_REPORT);
  const bytes = openCheckpointFolder(directory).readBytes(MERGE_REPORT, 'merge report');
  const report = parseConfig(parseJson(bytes, path, 'merge report'), ReportFile, path);
  // The recipe is only compared and shown; the schema of a later version may refuse what an older one wrote.
  return { ...report, recipe: report.recipe as MergeRecipe };
}

/**
 * SHA-256 of every tensor of the two backbones when they were merged; undefined without a report, as in a model trained on with
 * `train: all` or aligned by an older version.
 */
export function mergedHashes(directory: string): ReadonlyMap<string, string> | undefined {
  if (!openCheckpointFolder(directory).has(MERGE_REPORT)) return undefined;
  return new Map(readMergeReport(directory).tensors.map(({ name, inputSha256 }) => [name, inputSha256]));
}

/** SHA-256 of every backbone tensor of a merged checkpoint. */
export function backboneHashes(directory: string): Map<string, string> {
  const folder = openCheckpointFolder(directory);
  const isFusionParameter = fusionParameters(readModelConfig(folder, JOINT_KIND));
  const header = readSafetensorsHeader(folder.pathOf('model.safetensors', 'tensors'));
  const names = [...header.tensors.keys()].filter((name) => !isFusionParameter(name));
  return new Map(names.map((name) => [name, sha256(readTensorBytes(header, name))]));
}

/** SHA-256 of every backbone tensor of a merged model in memory. */
export function hashesOf(tensors: ReadonlyMap<string, HostTensor>, config: JointModelConfig): Map<string, string> {
  const isFusionParameter = fusionParameters(config);
  const backbones = [...tensors].filter(([name]) => !isFusionParameter(name));
  return new Map(
    backbones.map(([name, { values }]) => [
      name,
      sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
    ]),
  );
}

/**
 * Compares the backbone tensors of a merged or aligned checkpoint with those that were merged.
 *
 * @param hashes of the tensors in the checkpoint
 * @param merged `mergedHashes`
 * @throws UserError naming the first tensor that differs
 */
export function refuseChanged(
  directory: string,
  hashes: ReadonlyMap<string, string>,
  merged: ReadonlyMap<string, string>,
): void {
  const changed = [...new Set([...merged.keys(), ...hashes.keys()])].filter(
    (name) => hashes.get(name) !== merged.get(name),
  );
  if (changed.length === 0) return;
  throw new UserError(
    `${join(directory, 'model.safetensors')}: ${changed.length} of ${merged.size} backbone tensors are not those that ${MERGE_REPORT} names, the first is '${shownText(changed[0], 120)}'; merge again, or take a copy that was not changed`,
  );
}
