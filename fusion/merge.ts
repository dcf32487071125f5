import { join } from 'node:path';
import { LANGUAGE_KIND, TOKENIZER_FILE } from '#language';
import { RunError } from '#src/errors';
import {
  draftFolder,
  jsonText,
  type OverwriteOptions,
  openOutputEntry,
  readSafetensorsHeader,
  readTensorBytes,
  sha256,
} from '#src/storage';
import { addToCheckpoint, checkpointDigests, type ModelDescription, readModel, writeCheckpoint } from '#src/training';
import { VISION_KIND } from '#vision';
import { newFusionParameters } from './fusionParameters.js';
import type { MergePlan } from './mergePlan.js';
import { MERGE_REPORT, type MergeReport } from './mergeReport.js';

/**
 * Writes both backbones' tensors and the method's new ones into one checkpoint. Deterministic: the same plan gives the
 * same bytes.
 *
 * @throws ConfigError when something is at `outDir` already, unless `options.overwrite` moves it aside
 * @throws UserError when a backbone's checkpoint is damaged
 */
export function merge(plan: MergePlan, outDir: string, options: OverwriteOptions = {}): MergeReport {
  const place = openOutputEntry(outDir, options);
  try {
    return writeMerged(plan, outDir);
  } finally {
    place.release();
  }
}

function writeMerged(plan: MergePlan, outDir: string): MergeReport {
  const vision = readModel(plan.visionCheckpoint, VISION_KIND);
  const language = readModel(plan.languageCheckpoint, LANGUAGE_KIND);
  const fusion = newFusionParameters(plan.config, plan.recipe.seed);
  const tensors = new Map([...vision.tensors, ...language.tensors, ...fusion]);

  const { tokenizer } = language.config;
  const assets = new Map<string, Uint8Array>();
  const bytes = tokenizer.kind === 'bpe' ? language.assets.get(tokenizer.path) : undefined;
  if (bytes) assets.set(TOKENIZER_FILE, bytes);
  const model: ModelDescription = { kind: 'fusion', config: plan.config };
  // Model and report appear together: an interrupted merge must not block the next one.
  const draft = draftFolder(outDir);
  try {
    writeCheckpoint(draft.path, { model, tensors, assets });
    const report = reportOf(plan, draft.path);
    const changed = report.tensors.find(({ inputSha256, outputSha256 }) => inputSha256 !== outputSha256);
    if (changed) {
      throw new RunError(`${outDir}: not written: '${changed.name}' in the backbone's file changed during the merge`);
    }
    addToCheckpoint(draft.path, MERGE_REPORT, Buffer.from(jsonText(report)));
    draft.publish();
    return report;
  } finally {
    draft.discard();
  }
}

/** Reads both sides back from disk, so that the report describes the files and not memory. */
function reportOf(plan: MergePlan, outDir: string): MergeReport {
  const output = readSafetensorsHeader(join(outDir, 'model.safetensors'));
  const inputs = [
    ['vision', plan.visionHeader],
    ['language', plan.languageHeader],
  ] as const;
  const tensors = inputs.flatMap(([from, header]) =>
    [...header.tensors.keys()].map((name) => ({
      name,
      from,
      inputSha256: sha256(readTensorBytes(header, name)),
      outputSha256: sha256(readTensorBytes(output, name)),
    })),
  );
  return {
    recipe: plan.recipe,
    parameters: plan.parameters,
    inputs: checkpointDigests({ vision: plan.visionCheckpoint, language: plan.languageCheckpoint }),
    tensors,
    kept: tensors.every(({ inputSha256, outputSha256 }) => inputSha256 === outputSha256),
  };
}
