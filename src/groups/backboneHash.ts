import { createHash } from 'node:crypto';
import type { HostTensor } from '#src/storage';
import type { ParameterTree } from '#src/tokenformer';

/**
 * SHA-256 of a backbone: of name, shape and bytes of each of its tensors, in the order of their names. It is the same whether the
 * backbone stands alone or in a merged model, whatever heads, groups and bridges stand beside it.
 *
 * @param names of the backbone's own parameters
 * @throws Error when one of them is missing
 */
export function backboneSha256(names: Iterable<string>, tensors: ReadonlyMap<string, HostTensor>): string {
  const hash = createHash('sha256');
  for (const name of [...names].sort()) {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`backboneSha256: expected a tensor '${name}', got none`);
    const { shape, values } = tensor;
    hash.update(`${name} [${shape}]\n`);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex');
}

/** `backboneSha256` of a model in memory. */
export async function treeSha256(names: Iterable<string>, tree: ParameterTree): Promise<string> {
  const own = new Set(names);
  return backboneSha256(own, await tree.toHost((name) => own.has(name)));
}
