import { loadCheckpointTokenizer, type Tokenizer, useVocabulary } from '#language';
import type { HostTensor } from '#src/storage';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint, type GroupIdentities, readModel } from '#src/training';
import type { BridgeDropout } from './bridgeDropout.js';
import type { JointModelConfig } from './jointConfig.js';
import { JOINT_KIND } from './jointKind.js';
import { type FusionMethod, fusionMethod, type GroupReading } from './methods/index.js';

/** A merged model: both backbones' groups in joint layers, and the routes by which each stream uses them. */
export interface JointModel {
  readonly tree: ParameterTree;
  readonly config: JointModelConfig;
  readonly method: FusionMethod;
  readonly tokenizer: Tokenizer;
  /** Files that travel with the model. */
  readonly assets: ReadonlyMap<string, Uint8Array>;
  /** Receives what groups read of image tokens, while contexts are computed. */
  readonly onReading?: (reading: GroupReading) => void;
  /** Names of the groups that were attached to each backbone. */
  readonly attachedGroups?: Readonly<Record<'vision' | 'language', readonly string[]>>;
  /** Groups that its checkpoint lacks: another process holds them. */
  readonly absent?: GroupIdentities;
  dispose(): void;
}

/**
 * Loads a merged model from a run directory or a checkpoint folder.
 *
 * @param options.mayLackGroups takes a device checkpoint too
 */
export function loadJointModel(path: string, options: { readonly mayLackGroups?: boolean } = {}): JointModel {
  const directory = findCheckpoint(path);
  const { config, tensors, assets, absent } = readModel(directory, JOINT_KIND, options);
  const tokenizer = loadCheckpointTokenizer(directory, config.language);
  return { ...jointModelOf(config, tensors, tokenizer), assets, absent };
}

/** A merged model of its parts, as a checkpoint or an exported page holds them. */
export function jointModelOf(
  config: JointModelConfig,
  tensors: ReadonlyMap<string, HostTensor>,
  tokenizer: Tokenizer,
): JointModel {
  const tree = new ParameterTree(tensors);
  useVocabulary(tree, tokenizer.vocabSize);
  return {
    tree,
    config,
    method: fusionMethod(config.fusion.method),
    tokenizer,
    assets: new Map(),
    dispose: () => {
      tree.dispose();
      tokenizer.dispose();
    },
  };
}

/** Which of the fusion's own parameters take part; without them the model is the merge with zero trained parameters. */
export interface FusionOptions {
  readonly bridge: boolean;
  /** In training: leaves some of the bridges' parameter tokens out. */
  readonly dropout?: BridgeDropout | undefined;
}
