import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LANGUAGE_GROUP, TOKENIZER_FILE } from '#language';
import { parseConfig } from '#src/config';
import { ConfigError, RunError, UserError } from '#src/errors';
import { findNormActivation } from '#src/kernels';
import { createRandom } from '#src/random';
import {
  type HostTensor,
  readBytes,
  readSafetensorsHeader,
  readTensor,
  readTensorBytes,
  sha256,
  writeJsonAtomic,
} from '#src/storage';
import { constantTensor, createGroup } from '#src/tokenformer';
import { type ModelDescription, readModelDescription, writeCheckpoint } from '#src/training';
import { fusionParameters, JointModelConfig } from './jointConfig.js';
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
  readonly tensors: readonly TensorProvenance[];
  /** True when every backbone tensor has the same bytes before and after. */
  readonly kept: boolean;
}

/** Name of the report file in a merged checkpoint. */
export const MERGE_REPORT = 'merge_report.json';

/**
 * Writes both backbones' tensors, the method's groups (keys N(0, 1/dIn), τ by the rule of Θ, values 0 or
 * N(0, 1/tokens), as the method starts them) and its gates (0) into one checkpoint. Deterministic: the same plan gives the
 * same bytes.
 *
 * @throws ConfigError when something is at `outDir` already
 */
export function merge(plan: MergePlan, outDir: string): MergeReport {
  if (existsSync(outDir))
    throw new ConfigError(`${outDir}: exists already; expected a new folder for the merged model`);
  const normActivation = findNormActivation(plan.config.language.backbone.stack.normActivation);
  const tensors = new Map<string, HostTensor>();
  for (const header of [plan.visionHeader, plan.languageHeader]) {
    for (const name of header.tensors.keys()) tensors.set(name, readTensor(header, name));
  }
  for (const { path, group, origin, numParamTokens, dIn, dOut, start } of plan.groups) {
    if (origin !== 'bridge') continue;
    const init = {
      numParamTokens,
      dIn,
      dOut,
      keyStd: 1 / Math.sqrt(dIn),
      valueStd: start === 'silent' ? 0 : 1 / Math.sqrt(numParamTokens),
      tau: normActivation.tau(numParamTokens),
    };
    const random = createRandom(plan.recipe.seed, 'bridge', path, group);
    for (const [name, tensor] of createGroup(path, group, init, random)) tensors.set(name, tensor);
  }
  for (const name of plan.gates) tensors.set(name, constantTensor([], 0));

  const { tokenizer } = plan.config.language;
  const assets = new Map<string, Uint8Array>();
  if (tokenizer.kind === 'bpe') {
    assets.set(TOKENIZER_FILE, readBytes(join(plan.languageCheckpoint, tokenizer.path), 'tokenizer'));
  }
  const model: ModelDescription = { kind: 'fusion', config: plan.config };
  // Model and report appear together: an interrupted merge must not block the next one.
  const aside = `${outDir}.${process.pid}.merge`;
  try {
    writeCheckpoint(aside, { model, tensors, assets });
    const report = reportOf(plan, aside);
    const changed = report.tensors.find(({ inputSha256, outputSha256 }) => inputSha256 !== outputSha256);
    if (changed) throw new RunError(`${outDir}: not written: '${changed.name}' changed in the merge; this is a bug`);
    writeJsonAtomic(join(aside, MERGE_REPORT), report);
    renameSync(aside, outDir);
    return report;
  } finally {
    rmSync(aside, { recursive: true, force: true });
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
    tensors,
    kept: tensors.every(({ inputSha256, outputSha256 }) => inputSha256 === outputSha256),
  };
}

/** Reads the description of a merged checkpoint. @throws UserError when it holds another kind of model */
function jointConfigOf(directory: string): JointModelConfig {
  const { kind, config } = readModelDescription(directory);
  if (kind !== 'fusion') throw new UserError(`${directory}: expected a merged model, got a ${kind} model`);
  return parseConfig(config, JointModelConfig, join(directory, 'model.json'));
}

/** SHA-256 of every backbone tensor of a merged checkpoint. */
export function backboneHashes(directory: string): Map<string, string> {
  const header = readSafetensorsHeader(join(directory, 'model.safetensors'));
  const isFusionParameter = fusionParameters(jointConfigOf(directory));
  const names = [...header.tensors.keys()].filter((name) => !isFusionParameter(name));
  return new Map(names.map((name) => [name, sha256(readTensorBytes(header, name))]));
}

/** True for tensors that came from the language backbone; the other backbone tensors came from the vision backbone. */
export function isLanguageTensor(name: string): boolean {
  return `/${name}`.includes(`/${LANGUAGE_GROUP}/`);
}

/** Splits a merged checkpoint into its two backbones, bit-equal to the inputs of the merge. */
export function unmerge(directory: string, visionDir: string, languageDir: string): void {
  for (const outDir of [visionDir, languageDir]) {
    if (existsSync(outDir)) throw new ConfigError(`${outDir}: exists already; expected a new folder for a backbone`);
  }
  const config = jointConfigOf(directory);
  const isFusionParameter = fusionParameters(config);
  const header = readSafetensorsHeader(join(directory, 'model.safetensors'));
  const backbone = (wanted: (name: string) => boolean): Map<string, HostTensor> =>
    new Map(
      [...header.tensors.keys()]
        .filter((name) => !isFusionParameter(name) && wanted(name))
        .map((name) => [name, readTensor(header, name)]),
    );
  const { tokenizer } = config.language;
  const assets = new Map<string, Uint8Array>();
  if (tokenizer.kind === 'bpe') assets.set(TOKENIZER_FILE, readBytes(join(directory, TOKENIZER_FILE), 'tokenizer'));
  const write = (outDir: string, kind: 'vision' | 'language', tensors: Map<string, HostTensor>): void =>
    writeCheckpoint(outDir, {
      model: { kind, config: config[kind] },
      tensors,
      assets: kind === 'language' ? assets : new Map(),
    });
  write(
    visionDir,
    'vision',
    backbone((name) => !isLanguageTensor(name)),
  );
  write(languageDir, 'language', backbone(isLanguageTensor));
}
