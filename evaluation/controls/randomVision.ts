import type { JointModel } from '#fusion';
import { ParameterTree } from '#src/tokenformer';
import { createVisionParameters } from '#vision';

/**
 * The same model, its trained bridges included, over a vision backbone that is drawn anew: what captions owe to what the
 * backbone learned to see. The tokenizer stays the given model's.
 */
export async function randomVision(model: JointModel, seed: number): Promise<JointModel> {
  const tensors = await model.tree.toHost();
  for (const [name, tensor] of createVisionParameters(model.config.vision.backbone, seed)) tensors.set(name, tensor);
  const tree = new ParameterTree(tensors);
  return { ...model, tree, dispose: () => tree.dispose() };
}
