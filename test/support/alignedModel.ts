import { join } from 'node:path';
import { type FusionInput, loadJointModel } from '#fusion';
import { readModelDescription, writeCheckpoint } from '#src/training';
import { writeTinyBackbones } from './tinyBackbones.js';
import { mergeTiny, stirFusion } from './tinyJointModel.js';

/** Writes a merged model of tiny backbones as if an alignment had trained its bridges hard, and returns its folder. */
export async function writeAligned(folder: string, fusion: FusionInput = {}): Promise<string> {
  writeTinyBackbones(folder);
  const merged = mergeTiny(folder, fusion);
  const model = loadJointModel(merged);
  stirFusion(model, 3);
  const aligned = join(folder, 'aligned');
  const { assets } = model;
  writeCheckpoint(aligned, { model: readModelDescription(merged), tensors: await model.tree.toHost(), assets });
  model.dispose();
  return aligned;
}
