/**
 * @file What client and server send each other, little-endian. Both begin with a magic word (4 bytes), the version (uint16), the
 * type of the numbers (uint16, 1: float32) and the length of the whole frame (uint32).
 *
 *   request  Θ: length of its name (uint8), the name in ASCII; gelu (uint8, 0 erf, 1 tanh); ε (float64)
 *            inputs (uint16), sums (uint16); of each input rows (uint32), width (uint32)
 *            of each sum its input (uint16), groups (uint16); of each group its place in the server's list, bit 31: linear (uint32)
 *            zeros to a multiple of 4; the inputs' numbers
 *   answer   matrices (uint32); of each rows (uint32), width (uint32); their numbers
 */
import type { PattentionMath } from '#src/tokenformer';

export const FRAME_VERSION = 1;
/** A larger frame is refused on both sides. */
export const MAX_FRAME_BYTES = 1 << 26;

const REQUEST = 'TFRQ';
const ANSWER = 'TFAN';
const FLOAT32 = 1;
const HEADER_BYTES = 12;
const LINEAR = 0x80000000;
/** Far more than a block needs. */
const MAX_PARTS = 256;

/** A frame that is not what it should be. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Rows of numbers. */
export interface Matrix {
  readonly rows: number;
  readonly width: number;
  /** [rows · width] */
  readonly values: Float32Array;
}

/** Sums over groups of a server, Σ_g Θ_g(x K_gᵀ) V_g. */
export interface SumRequest {
  readonly math: PattentionMath;
  readonly inputs: readonly Matrix[];
  readonly sums: readonly {
    /** Place among the inputs. */
    readonly input: number;
    /** Places in the server's list. */
    readonly groups: readonly { readonly index: number; readonly linear: boolean }[];
  }[];
}

export function encodeRequest({ math, inputs, sums }: SumRequest): Uint8Array {
  const name = Buffer.from(math.normActivation, 'latin1');
  const groups = sums.reduce((total, sum) => total + sum.groups.length, 0);
  const start = aligned(HEADER_BYTES + 1 + name.length + 1 + 8 + 4 + 8 * inputs.length + 4 * sums.length + 4 * groups);
  const writer = createWriter(REQUEST, start, inputs);
  writer.uint8(name.length);
  for (const byte of name) writer.uint8(byte);
  writer.uint8(math.gelu === 'tanh' ? 1 : 0);
  writer.float64(math.normEpsilon);
  writer.uint16(inputs.length);
  writer.uint16(sums.length);
  for (const { rows, width } of inputs) {
    writer.uint32(rows);
    writer.uint32(width);
  }
  for (const sum of sums) {
    writer.uint16(sum.input);
    writer.uint16(sum.groups.length);
    for (const { index, linear } of sum.groups) writer.uint32((linear ? LINEAR : 0) + index);
  }
  return writer.bytes;
}

/** @throws FrameError for anything that `encodeRequest` would not write */
export function decodeRequest(bytes: Uint8Array): SumRequest {
  const reader = createReader(bytes, REQUEST);
  const normActivation = Buffer.from(reader.take(reader.uint8())).toString('latin1');
  const gelu = reader.uint8();
  const normEpsilon = reader.float64();
  if (gelu > 1) throw new FrameError(`expected gelu 0 or 1, got ${gelu}`);
  if (!(normEpsilon >= 0 && normEpsilon < Number.POSITIVE_INFINITY))
    throw new FrameError(`expected an ε of at least 0, got ${normEpsilon}`);
  const [numInputs, numSums] = [reader.parts('inputs', reader.uint16()), reader.parts('sums', reader.uint16())];
  const shapes = reader.shapes(numInputs);
  const sums = Array.from({ length: numSums }, () => {
    const input = reader.uint16();
    if (input >= numInputs) throw new FrameError(`expected a sum of one of ${numInputs} inputs, got ${input}`);
    const groups = Array.from({ length: reader.parts('groups', reader.uint16()) }, () => {
      const word = reader.uint32();
      return { index: word & ~LINEAR, linear: word >= LINEAR };
    });
    return { input, groups };
  });
  const inputs = reader.matrices(shapes);
  return { math: { normActivation, gelu: gelu === 1 ? 'tanh' : 'erf', normEpsilon }, inputs, sums };
}

export function encodeAnswer(matrices: readonly Matrix[]): Uint8Array {
  const writer = createWriter(ANSWER, HEADER_BYTES + 4 + 8 * matrices.length, matrices);
  writer.uint32(matrices.length);
  for (const { rows, width } of matrices) {
    writer.uint32(rows);
    writer.uint32(width);
  }
  return writer.bytes;
}

/** @throws FrameError for anything that `encodeAnswer` would not write */
export function decodeAnswer(bytes: Uint8Array): Matrix[] {
  const reader = createReader(bytes, ANSWER);
  return reader.matrices(reader.shapes(reader.parts('matrices', reader.uint32())));
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

/** Bytes of the numbers of matrices. */
function numberBytes(matrices: readonly Pick<Matrix, 'rows' | 'width'>[]): number {
  return matrices.reduce((sum, { rows, width }) => sum + 4 * rows * width, 0);
}

function createWriter(magic: string, start: number, matrices: readonly Matrix[]) {
  const bytes = new Uint8Array(start + numberBytes(matrices));
  const view = new DataView(bytes.buffer);
  let at = start;
  for (const { values } of matrices) {
    new Float32Array(bytes.buffer, at, values.length).set(values);
    at += values.byteLength;
  }
  bytes.set(Buffer.from(magic, 'latin1'));
  view.setUint16(4, FRAME_VERSION, true);
  view.setUint16(6, FLOAT32, true);
  view.setUint32(8, bytes.length, true);
  at = HEADER_BYTES;
  const skip = (count: number): number => {
    at += count;
    return at - count;
  };
  return {
    bytes,
    uint8: (value: number) => view.setUint8(skip(1), value),
    uint16: (value: number) => view.setUint16(skip(2), value, true),
    uint32: (value: number) => view.setUint32(skip(4), value, true),
    float64: (value: number) => view.setFloat64(skip(8), value, true),
  };
}

function createReader(bytes: Uint8Array, magic: string) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const skip = (count: number): number => {
    if (count > bytes.length - at) throw new FrameError(`it ends after ${bytes.length} bytes, in its header`);
    at += count;
    return at - count;
  };
  const uint16 = (): number => view.getUint16(skip(2), true);
  const uint32 = (): number => view.getUint32(skip(4), true);
  const take = (count: number): Uint8Array => bytes.subarray(skip(count), at);

  if (Buffer.from(take(4)).toString('latin1') !== magic) throw new FrameError(`expected it to begin with ${magic}`);
  const version = uint16();
  if (version !== FRAME_VERSION) throw new FrameError(`expected version ${FRAME_VERSION}, got ${version}`);
  const type = uint16();
  if (type !== FLOAT32) throw new FrameError(`expected numbers of type ${FLOAT32} (float32), got ${type}`);
  const length = uint32();
  if (length !== bytes.length) throw new FrameError(`expected ${length} bytes as it says, got ${bytes.length}`);
  return {
    take,
    uint8: () => view.getUint8(skip(1)),
    uint16,
    uint32,
    float64: () => view.getFloat64(skip(8), true),
    parts: (what: string, count: number): number => {
      if (count >= 1 && count <= MAX_PARTS) return count;
      throw new FrameError(`expected 1 to ${MAX_PARTS} ${what}, got ${count}`);
    },
    shapes: (count: number): { rows: number; width: number }[] =>
      Array.from({ length: count }, () => {
        const shape = { rows: uint32(), width: uint32() };
        if (shape.rows > 0 && shape.width > 0 && numberBytes([shape]) <= MAX_FRAME_BYTES) return shape;
        throw new FrameError(
          `expected a matrix of at most ${MAX_FRAME_BYTES} bytes, got [${shape.rows}, ${shape.width}]`,
        );
      }),
    /** The rest of the frame: nothing may be left over. */
    matrices: (shapes: readonly { rows: number; width: number }[]): Matrix[] => {
      skip(aligned(at) - at);
      const [wanted, left] = [numberBytes(shapes), bytes.length - at];
      if (wanted !== left) throw new FrameError(`expected ${wanted} bytes of numbers by its shapes, got ${left}`);
      return shapes.map(({ rows, width }) => {
        const values = new Float32Array(rows * width);
        new Uint8Array(values.buffer).set(take(values.byteLength));
        return { rows, width, values };
      });
    },
  };
}
