import type { ComputeType, Matrix, NumberType, Product } from './commands.js';
import type { KernelContext } from './context.js';

/** How a fused kernel stores its activations and operands, and how its products compute. */
export interface Arithmetic {
  readonly type: NumberType;
  readonly compute: ComputeType;
  /** Bytes of a stored number. */
  readonly bytes: number;
  /** The name that a kernel of that storage type ends in. */
  readonly suffix: 'float' | 'bf16';
}

const FLOAT32 = { type: 'float32', bytes: 4, suffix: 'float' } as const;
const ARITHMETIC: Readonly<Record<ReturnType<KernelContext['precision']>, Arithmetic>> = {
  highest: { ...FLOAT32, compute: 'float32' },
  tf32: { ...FLOAT32, compute: 'tf32' },
  bf16: { type: 'bf16', compute: 'bf16', bytes: 2, suffix: 'bf16' },
};

/** Of kernels that keep their activations to themselves: bf16 is stored as such. */
export function blockArithmetic(context: Pick<KernelContext, 'precision'>): Arithmetic {
  return ARITHMETIC[context.precision()];
}

/** Of kernels whose operands and results are tensors, which are float32: under bf16 their products are tf32. */
export function tensorArithmetic(context: Pick<KernelContext, 'precision'>): Arithmetic {
  const precision = context.precision();
  return ARITHMETIC[precision === 'bf16' ? 'tf32' : precision];
}

/** The part of a product that its arithmetic does not say. */
export type ProductOf = Omit<Product, 'operands' | 'result' | 'compute'> & { readonly result?: NumberType };

/** C = op(A) op(B), stored in the arithmetic's type unless `result` names another. */
export function multiply(
  { commands }: Pick<KernelContext, 'commands'>,
  arithmetic: Arithmetic,
  product: ProductOf,
): void {
  const { type, compute } = arithmetic;
  commands.product({ operands: type, compute, ...product, result: product.result ?? type });
}

/** A matrix from a column on. */
export function fromColumn({ address, stride }: Matrix, column: number, bytes: number): Matrix {
  return { address: address + column * bytes, stride };
}

/** Every part of a buffer starts at a multiple of this. */
const ALIGNMENT = 256;

export function alignedBytes(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Addresses of parts of those sizes, one behind the other from `address` on, and the bytes that they take up. */
export function carve(address: number, sizes: readonly number[]): { readonly parts: number[]; readonly bytes: number } {
  let end = 0;
  const parts = sizes.map((bytes) => {
    const start = address + end;
    end += alignedBytes(bytes);
    return start;
  });
  return { parts, bytes: end };
}
