import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseConfig } from '#src/config';
import { UserError } from '#src/errors';
import { type Bridge, type GroupFile, readGroupFile, refuseOtherTensors, shortHash, writeGroupFile } from '#src/groups';
import { draftFolder, type HostTensor, inOutputEntry, jsonText, type OverwriteOptions, readJson } from '#src/storage';
import { checkpointDigests, findCheckpoint, RUN_CONFIG, readModel, writeCheckpoint } from '#src/training';
import { newFusionParameters } from './fusionParameters.js';
import { fusionParameters, type JointModelConfig } from './jointConfig.js';
import { JOINT_KIND } from './jointKind.js';
import { MERGE_REPORT, readMergeReport } from './mergeReport.js';
import { languageBackbone, visionBackbone } from './modelBackbones.js';
import { FusionConfig } from './recipe.js';

/**
 * Writes what fusion added to two backbones, groups and gates, as a file of its own.
 *
 * @param path of an aligned model: a run directory or a checkpoint folder
 * @param outPath of the file
 * @throws ConfigError when something is at `outPath` already, unless `options.overwrite` moves it aside
 * @throws UserError when the model is damaged, or fusion added nothing to its backbones
 */
export function extractBridge(
  path: string,
  outPath: string,
  name: string,
  options: OverwriteOptions = {},
): Promise<Bridge> {
  return inOutputEntry(outPath, options, () => {
    const directory = findCheckpoint(path);
    const { config, tensors } = readModel(directory, JOINT_KIND);
    const isAdded = fusionParameters(config);
    const added = new Map([...tensors].filter(([tensor]) => isAdded(tensor)));
    if (added.size === 0) throw new UserError(`${directory}: expected bridge groups or gates, the model has none`);
    const bridge: Bridge = {
      kind: 'bridge',
      name,
      ...backboneHashes(config, tensors),
      parameters: scalarsIn(added),
      fusion: { ...config.fusion },
      origin: originOf(path),
    };
    writeGroupFile(outPath, bridge, added);
    return bridge;
  });
}

/**
 * Puts the bridge in a file into a merged model of the same backbones, in the place of its own; the fusion becomes that of the
 * bridge.
 *
 * @param path of a merged or aligned model: a run directory or a checkpoint folder
 * @param outDir of the model with the bridge
 * @throws ConfigError when something is at `outDir` already, unless `options.overwrite` moves it aside
 * @throws UserError when the file is damaged, or belongs to other backbones
 */
export function attachBridge(
  path: string,
  bridgePath: string,
  outDir: string,
  options: OverwriteOptions = {},
): Promise<Bridge> {
  return inOutputEntry(outDir, options, () => {
    const { description, ...file } = requireBridge(readGroupFile(bridgePath));
    const directory = findCheckpoint(path);
    const { config, tensors, assets } = readModel(directory, JOINT_KIND);
    const found = backboneHashes(config, tensors);
    for (const backbone of ['vision', 'language'] as const) {
      const [wanted, own] = [description[`${backbone}Sha256`], found[`${backbone}Sha256`]];
      if (wanted === own) continue;
      throw new UserError(
        `${bridgePath}: belongs to another ${backbone} backbone: it was aligned with the one with SHA-256 ${shortHash(wanted)}, ${path} has ${shortHash(own)}; take a model merged from that`,
      );
    }
    const joined: JointModelConfig = { ...config, fusion: parseConfig(description.fusion, FusionConfig, bridgePath) };
    refuseOtherTensors({ ...file, description }, newFusionParameters(joined, 0));
    const isAdded = fusionParameters(config);
    const backbones = [...tensors].filter(([tensor]) => !isAdded(tensor));
    const draft = draftFolder(outDir);
    try {
      writeCheckpoint(draft.path, {
        model: { kind: 'fusion', config: joined },
        tensors: new Map([...backbones, ...file.tensors]),
        assets: new Map([...assets, ...reportFor(directory, assets, joined, description.parameters)]),
      });
      draft.publish();
    } finally {
      draft.discard();
    }
    return description;
  });
}

function requireBridge({ description, ...file }: GroupFile): GroupFile<Bridge> {
  if (description.kind === 'bridge') return { ...file, description };
  throw new UserError(
    `${file.path}: expected a bridge, got the task group '${description.group.name}'; generate, caption and evaluate take it by --group`,
  );
}

function backboneHashes(
  { vision, language }: JointModelConfig,
  tensors: ReadonlyMap<string, HostTensor>,
): Pick<Bridge, 'visionSha256' | 'languageSha256'> {
  return {
    visionSha256: visionBackbone(vision, tensors).sha256,
    languageSha256: languageBackbone(language, tensors).sha256,
  };
}

function scalarsIn(tensors: ReadonlyMap<string, HostTensor>): number {
  return [...tensors].reduce((sum, [name, { values }]) => sum + (name.endsWith('/tau') ? 0 : values.length), 0);
}

/** The checkpoint's digest and, of a run, its experiment. */
function originOf(path: string): Bridge['origin'] {
  const { model } = checkpointDigests({ model: path });
  const config = join(path, RUN_CONFIG);
  return { checkpoint: model, ...(existsSync(config) && { experiment: readJson(config, 'run configuration') }) };
}

/** The merge report as it is true of the model with the bridge: the same, unless the fusion is another. */
function reportFor(
  directory: string,
  assets: ReadonlyMap<string, Uint8Array>,
  { fusion }: JointModelConfig,
  parameters: number,
): [string, Uint8Array][] {
  if (!assets.has(MERGE_REPORT)) return [];
  const report = readMergeReport(directory);
  if (isDeepStrictEqual(report.recipe.fusion, fusion)) return [];
  const changed = {
    ...report,
    recipe: { ...report.recipe, fusion },
    parameters: { ...report.parameters, fusion: parameters },
  };
  return [[MERGE_REPORT, Buffer.from(jsonText(changed))]];
}
