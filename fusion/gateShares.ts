import { addedParameters } from './jointConfig.js';
import type { JointModel } from './jointModel.js';

/** tanh of every gate that fusion added, by name: what a scalar gate scales, or what each head takes of the image. */
export async function gateShares({ tree, config }: JointModel): Promise<Record<string, readonly number[]>> {
  const shares: Record<string, readonly number[]> = {};
  for (const name of addedParameters(config).gates.keys()) {
    shares[name] = Array.from(await tree.variable(name).data(), Math.tanh);
  }
  return shares;
}
