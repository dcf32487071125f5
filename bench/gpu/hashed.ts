/**
 * @file Numbers that this side and peer.py make alike from a seed and a name, so that both train the same model on the same data
 * without files: word i of a name is murmur3's finalizer of i · 0x9E3779B1 + FNV-1a(`<seed>/<name>`).
 */

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value;
}

function word(base: number, index: number): number {
  let h = (Math.imul(index, 0x9e3779b1) + base) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Uniform on ±std · √3, so that `std` is the standard deviation. */
export function hashedUniform(seed: number, name: string, count: number, std: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  if (std === 0) return values;
  const base = hashOf(`${seed}/${name}`);
  const scale = std * Math.sqrt(3);
  for (let i = 0; i < count; i++) values[i] = ((word(base, i) / 4294967296) * 2 - 1) * scale;
  return values;
}

/** Uniform integers in [0, bound). */
export function hashedIntegers(seed: number, name: string, count: number, bound: number): Int32Array<ArrayBuffer> {
  const base = hashOf(`${seed}/${name}`);
  return Int32Array.from({ length: count }, (_, i) => word(base, i) % bound);
}
