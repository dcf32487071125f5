import { join } from 'node:path';
import { languageTask } from '#language';
import { type HostTensor, readJson, readSafetensors } from '#src/storage';
import { ParameterTree } from '#src/tokenformer';
import type { TrainingTask } from '#src/training';
import { createObjective, visionTask } from '#vision';
import { type BenchModelFile, classNames, NUM_BATCHES, SEED, VISION_OBJECTIVE } from '../models.js';

/** A model of `writeBenchModel` with its data, as the training loop and the decoder take them. */
export interface OpenBenchModel extends BenchModelFile {
  readonly tree: ParameterTree;
  readonly task: TrainingTask;
  /** Token ids of the first batch. */
  readonly tokenIds: Int32Array;
}

/** The project's own training task on the batches of the folder: nothing of it is written for the bench. */
export function openBenchModel(folder: string): OpenBenchModel {
  const file = readJson(join(folder, 'model.json'), 'bench model') as BenchModelFile;
  const { model, training } = file;
  const batches = readSafetensors(join(folder, 'batches.safetensors')).tensors;
  const numbers = (name: string, index: number): HostTensor['values'] =>
    (batches.get(`${name}/${index % NUM_BATCHES}`) as HostTensor).values;
  const tree = new ParameterTree(readSafetensors(join(folder, 'model.safetensors')).tensors);
  const { batchSize: batch } = model;
  if (model.kind === 'language') {
    const { seqLen } = model.config;
    const batchAt = (index: number) => ({
      tokenIds: numbers('tokenIds', index) as Int32Array,
      labels: numbers('labels', index) as Int32Array,
      batch,
      seqLen,
      lengths: new Int32Array(batch).fill(seqLen),
      numTokens: batch * seqLen,
    });
    const dataset = { batchAt, validationBatches: () => [] };
    const task = languageTask(tree, model.config, dataset, { training, data: { maxValidationBatches: 1 } });
    return { ...file, tree, task, tokenIds: batchAt(0).tokenIds };
  }
  const objective = createObjective(VISION_OBJECTIVE, model.config, { classNames: classNames() }, SEED);
  const indices = Int32Array.from({ length: batch }, (_, i) => i);
  const batchAt = (index: number) => ({
    batch,
    pixelValues: numbers('pixelValues', index) as Float32Array,
    labels: numbers('labels', index) as Int32Array,
    indices,
  });
  const experiment = { model: model.config, training, seed: SEED, data: { maxValidationImages: batch } };
  const none = { *validationBatches() {} };
  const task = visionTask(tree, experiment, [objective], { batchAt, paths: [] }, none);
  return { ...file, tree, task, tokenIds: new Int32Array() };
}
