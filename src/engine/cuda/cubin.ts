/** What a kernel of a cubin needs. */
export interface CompiledKernel {
  readonly name: string;
  /** Of a thread. */
  readonly registers: number;
  /** Bytes of local memory of a thread: arrays that are not in registers, and spills. */
  readonly localBytes: number;
  /** Bytes of static shared memory of a block. */
  readonly sharedBytes: number;
}

/** Attributes in the sections `.nv.info`. */
const FRAME_SIZE = 0x11;
const REGISTERS = 0x2f;
/** The form of an attribute that has its size and then its value. */
const SIZED = 4;

/** The kernels of a cubin, which is an ELF file of 64 bits, by name. */
export function readCubin(cubin: Uint8Array): CompiledKernel[] {
  const bytes = Buffer.from(cubin.buffer, cubin.byteOffset, cubin.byteLength);
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46) throw new Error('cubin: expected an ELF file');
  const table = Number(bytes.readBigUInt64LE(40));
  const [size, count, namesAt] = [bytes.readUInt16LE(58), bytes.readUInt16LE(60), bytes.readUInt16LE(62)];
  const sections = Array.from({ length: count }, (_, i) => {
    const at = table + i * size;
    return {
      nameAt: bytes.readUInt32LE(at),
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40),
    };
  });
  const textAt = (at: number): string => bytes.toString('latin1', at, bytes.indexOf(0, at));
  const named = new Map(sections.map((each) => [textAt(sections[namesAt].offset + each.nameAt), each]));
  const symbols = named.get('.symtab');
  const info = named.get('.nv.info');
  if (symbols === undefined || info === undefined) return [];
  const symbolName = (index: number): string =>
    textAt(sections[symbols.link].offset + bytes.readUInt32LE(symbols.offset + 24 * index));

  const values = new Map<string, { registers: number; localBytes: number }>();
  for (let at = info.offset; at + 4 <= info.offset + info.size; ) {
    const [form, attribute, length] = [bytes[at], bytes[at + 1], bytes.readUInt16LE(at + 2)];
    at += 4;
    if (form !== SIZED) continue;
    if (length >= 8 && (attribute === FRAME_SIZE || attribute === REGISTERS)) {
      const name = symbolName(bytes.readUInt32LE(at));
      const value = bytes.readUInt32LE(at + 4);
      const known = values.get(name) ?? { registers: 0, localBytes: 0 };
      values.set(name, attribute === REGISTERS ? { ...known, registers: value } : { ...known, localBytes: value });
    }
    at += length;
  }
  return [...values]
    .filter(([name]) => named.has(`.text.${name}`))
    .map(([name, value]) => ({ name, ...value, sharedBytes: named.get(`.nv.shared.${name}`)?.size ?? 0 }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
