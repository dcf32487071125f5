import { join } from 'node:path';
import { loadCheckpointTokenizer, type Tokenizer } from '#language';
import { parseConfig } from '#src/config';
import { UserError } from '#src/errors';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint, readCheckpoint, readModelDescription } from '#src/training';
import { JointModelConfig } from './jointConfig.js';
import { type FusionMethod, fusionMethod } from './methods/index.js';

/** A merged model: both backbones' groups in joint layers, and the routes by which each stream uses them. */
export interface JointModel {
  readonly tree: ParameterTree;
  readonly config: JointModelConfig;
  readonly method: FusionMethod;
  readonly tokenizer: Tokenizer;
  dispose(): void;
}

/** Loads a merged model from a run directory or a checkpoint folder. */
export function loadJointModel(path: string): JointModel {
  const directory = findCheckpoint(path);
  const { kind } = readModelDescription(directory);
  if (kind !== 'fusion')
    throw new UserError(`${directory}: expected a merged model, got a ${kind} model; merge it first`);
  const { model, tensors } = readCheckpoint(directory);
  const config = parseConfig(model.config, JointModelConfig, join(directory, 'model.json'));
  const tokenizer = loadCheckpointTokenizer(directory, config.language);
  const tree = new ParameterTree(tensors);
  return {
    tree,
    config,
    method: fusionMethod(config.fusion.method),
    tokenizer,
    dispose: () => {
      tree.dispose();
      tokenizer.dispose();
    },
  };
}

/** Which of the fusion's own parameters take part; without them the model is the merge with zero trained parameters. */
export interface FusionOptions {
  readonly bridge: boolean;
}
