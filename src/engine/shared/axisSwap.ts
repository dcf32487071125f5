/**
 * A permutation that swaps two neighbouring (groups of) axes, as [batch, rows, columns, width] → [batch, columns, rows,
 * width]; undefined for any other, the identity among them.
 */
export function axisSwap(
  shape: readonly number[],
  perm: readonly number[],
): [batch: number, rows: number, columns: number, width: number] | undefined {
  const order = perm.filter((axis) => shape[axis] !== 1); // axes of size 1 move nothing
  const sorted = [...order].sort((a, b) => a - b);
  const size = (axes: readonly number[]): number => axes.reduce((product, axis) => product * shape[axis], 1);
  let first = 0;
  while (first < order.length && order[first] === sorted[first]) first++;
  if (first === order.length) return undefined;
  let last = order.length;
  while (order[last - 1] === sorted[last - 1]) last--;
  const moved = order.slice(first, last);
  const inPlace = sorted.slice(first, last);
  const split = moved.indexOf(inPlace[0]);
  const swapped = [...moved.slice(split), ...moved.slice(0, split)];
  if (swapped.some((axis, i) => axis !== inPlace[i])) return undefined;
  return [size(order.slice(0, first)), size(moved.slice(split)), size(moved.slice(0, split)), size(order.slice(last))];
}
