import type { CudaAddon } from '../addon.js';

/**
 * @file How commands for the card are encoded: words of float64, one command after another, so that a whole block of a model is one
 * call of the addon. cpp/execute.cc reads the same layout:
 *
 *   launch  1, kernel id, grid x, grid y, grid z, threads, shared bytes, number of arguments, arguments
 *           each argument: 0, address | 1, int32 | 2, float32 | 3, int64 | 4, count, int32 … (a struct of int32 by value) |
 *           5, count, address … (a struct of 64-bit addresses by value)
 *   product 2, A, B, C, type of A and B, type of C, compute type, transpose A, transpose B, m, n, k, lda, ldb, ldc,
 *           batch, stride A, stride B, stride C, alpha, beta
 *           C [m, n] = alpha · op(A) op(B) + beta · C, all row-major; ld and strides in elements; A is [m, k], or [k, m] transposed
 *   fill    3, address, bytes, byte value
 *   copy    4, to, from, bytes
 */
export const OPCODES = { launch: 1, product: 2, fill: 3, copy: 4 } as const;

/** Of the numbers in a product: operands and result. */
export const NUMBER_TYPES = { float32: 0, bf16: 1 } as const;
export type NumberType = keyof typeof NUMBER_TYPES;

/** How a product computes: float32, operands rounded to tf32, or bf16 operands; sums are float32 in all. */
export const COMPUTE_TYPES = { float32: 0, tf32: 1, bf16: 2 } as const;
export type ComputeType = keyof typeof COMPUTE_TYPES;

/** A matrix in device memory: its first element, and elements from one row to the next. */
export interface Matrix {
  readonly address: number;
  readonly stride: number;
  /** Elements from one matrix of a batch to the next. */
  readonly batchStride?: number;
}

export interface Product {
  readonly a: Matrix;
  readonly b: Matrix;
  readonly c: Matrix;
  readonly operands: NumberType;
  readonly result: NumberType;
  readonly compute: ComputeType;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Default 1. */
  readonly batch?: number;
  /** Default 1. */
  readonly alpha?: number;
  /** Default 0; C need not be defined then. */
  readonly beta?: number;
}

/** An argument of a kernel. */
export type KernelArgument =
  | { readonly address: number }
  | { readonly int: number }
  | { readonly float: number }
  | { readonly long: number }
  | { readonly ints: ArrayLike<number> }
  | { readonly addresses: readonly number[] };

export interface LaunchSize {
  readonly grid: readonly [x: number, y?: number, z?: number];
  readonly threads: number;
  readonly sharedBytes?: number;
}

/** Commands that wait to be sent; `flush` sends them in one call. */
export interface Commands {
  launch(kernel: number, size: LaunchSize, args: readonly KernelArgument[]): void;
  product(product: Product): void;
  fill(address: number, bytes: number, value: number): void;
  copy(to: number, from: number, bytes: number): void;
  /** Words encoded before; at `indexes` go addresses: `offsets` from the starts of `parts`. */
  append(
    words: Float64Array,
    indexes: Int32Array,
    parts: Int32Array,
    offsets: Float64Array,
    starts: readonly number[],
  ): void;
  flush(): void;
}

/** The most words that wait; one command is far smaller. */
const CAPACITY = 1 << 15;
/** A command has fewer words than this, its structs included. */
const LARGEST = 1 << 11;

export function createCommands(addon: Pick<CudaAddon, 'execute'>): Commands {
  let words = new Float64Array(CAPACITY);
  let length = 0;

  const put = (...values: readonly number[]): void => {
    for (const value of values) words[length++] = value;
  };
  const putAll = (kind: number, values: ArrayLike<number>): void => {
    words[length++] = kind;
    words[length++] = values.length;
    for (let i = 0; i < values.length; i++) words[length++] = values[i];
  };
  const flush = (): void => {
    if (length === 0) return;
    const count = length;
    length = 0;
    addon.execute(words, count);
  };
  const makeRoom = (): void => {
    if (length > CAPACITY - LARGEST) flush();
  };

  return {
    launch: (kernel, { grid: [x, y = 1, z = 1], threads, sharedBytes = 0 }, args) => {
      makeRoom();
      put(OPCODES.launch, kernel, x, y, z, threads, sharedBytes, args.length);
      for (const argument of args) {
        if ('address' in argument) put(0, argument.address);
        else if ('int' in argument) put(1, argument.int);
        else if ('float' in argument) put(2, argument.float);
        else if ('long' in argument) put(3, argument.long);
        else if ('ints' in argument) putAll(4, argument.ints);
        else putAll(5, argument.addresses);
      }
    },
    product: ({ a, b, c, operands, result, compute, m, n, k, batch = 1, alpha = 1, beta = 0, ...transposed }) => {
      makeRoom();
      put(OPCODES.product, a.address, b.address, c.address);
      put(NUMBER_TYPES[operands], NUMBER_TYPES[result], COMPUTE_TYPES[compute]);
      put(transposed.transposeA ? 1 : 0, transposed.transposeB ? 1 : 0, m, n, k, a.stride, b.stride, c.stride);
      put(batch, a.batchStride ?? 0, b.batchStride ?? 0, c.batchStride ?? 0, alpha, beta);
    },
    fill: (address, bytes, value) => {
      makeRoom();
      put(OPCODES.fill, address, bytes, value);
    },
    append: (recorded, indexes, parts, offsets, starts) => {
      if (length + recorded.length > CAPACITY) flush();
      if (recorded.length > words.length) words = new Float64Array(recorded.length);
      words.set(recorded, length);
      for (let i = 0; i < indexes.length; i++) words[length + indexes[i]] = starts[parts[i]] + offsets[i];
      length += recorded.length;
    },
    copy: (to, from, bytes) => {
      makeRoom();
      put(OPCODES.copy, to, from, bytes);
    },
    flush,
  };
}
