import { spawnSync } from 'node:child_process';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CudaAddon, CudaFacts } from '../../../src/engine/cuda/addon.js';
import { type Commands, createCommands, OPCODES, type Product } from '../../../src/engine/cuda/kernels/commands.js';
import { libraryPlaces } from '../../../src/engine/cuda/libraries.js';
import { findAddon } from '../../../src/engine/native/addon.js';
import { emulatedAddon } from './emulatedCard.js';

const emulated = emulatedAddon();

const SOURCE = `
#define KERNEL extern "C" __global__ void
extern __shared__ __align__(128) unsigned char sharedBytes[];
struct Sizes { int a, b, c; };
struct Pair { const float* x; const float* y; };
KERNEL everything(float* out, int n, float s, long long l, Sizes sizes, Pair pair) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = s * pair.x[i] + pair.y[i] + l + sizes.a + 10 * sizes.b + 100 * sizes.c;
}
KERNEL __launch_bounds__(64) fewThreads(float* out) { out[threadIdx.x] = 1.0f; }
`;

describe.skipIf(emulated === undefined)('the addon', () => {
  const addon = emulated as CudaAddon;
  let facts: CudaFacts;
  let commands: Commands;
  let everything: number;
  let fewThreads: number;
  let taken: number[] = [];

  beforeAll(() => {
    facts = addon.open(libraryPlaces());
    commands = createCommands(addon);
    const cubin = addon.compile(SOURCE, 'test.cu', ['--gpu-architecture=sm_90', '--std=c++17']);
    [everything, fewThreads] = addon.loadKernels(cubin, ['everything', 'fewThreads']);
  });
  beforeEach(() => {
    taken = [];
  });
  afterEach(() => {
    for (const address of taken) addon.free(address);
    vi.unstubAllEnvs();
  });

  /** Device memory until the end of the test. */
  function allocate(bytes: number): number {
    const address = addon.allocate(bytes);
    taken.push(address);
    return address;
  }
  function onDevice(numbers: readonly number[] | Float32Array): number {
    const array = Float32Array.from(numbers);
    const address = allocate(array.byteLength);
    addon.upload(address, array);
    return address;
  }
  function read(address: number, count: number): Float32Array {
    const array = new Float32Array(count);
    addon.download(address, array);
    return array;
  }
  function run(...words: number[]): void {
    addon.execute(Float64Array.from(words), words.length);
  }

  it('tells the card and what was loaded', () => {
    expect(facts).toMatchObject({ capability: 90, sharedMemory: 232448 });
    expect(facts.libraries.driver).toMatch(/libcuda\.so\.1$/);
    expect(addon.open(libraryPlaces())).toEqual(facts);
  });

  it('gives a kernel each kind of argument as it was encoded', () => {
    const [x, y, out] = [onDevice([1, 2, 3]), onDevice([10, 20, 30]), onDevice([0, 0, 0, 7])];
    commands.launch(everything, { grid: [1], threads: 32 }, [
      { address: out },
      { int: 3 },
      { float: 0.5 },
      { long: 2 ** 20 },
      { ints: Int32Array.of(1, -2, 3) },
      { addresses: [x, y] },
    ]);
    commands.flush();
    const rest = 2 ** 20 + 1 - 20 + 300;
    expect([...read(out, 4)]).toEqual([10.5 + rest, 21 + rest, 31.5 + rest, 7]);
  });

  it('fills and copies', () => {
    const [from, to] = [onDevice([1, 2, 3, 4]), onDevice([5, 6, 7, 8])];
    commands.copy(to + 4, from, 8);
    commands.fill(from + 8, 4, 0);
    commands.fill(from + 13, 3, 0);
    commands.flush();
    expect([...read(to, 4)]).toEqual([5, 1, 2, 8]);
    expect([...read(from, 3)]).toEqual([1, 2, 0]);
  });

  describe('products', () => {
    const [m, n, k] = [3, 5, 4];
    const a = Array.from({ length: 2 * m * k }, (_, i) => Math.sin(i));
    const b = Array.from({ length: 2 * k * n }, (_, i) => Math.cos(i));
    const transpose = (x: readonly number[], rows: number, columns: number): number[] =>
      Array.from({ length: rows * columns }, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)]);
    const expected = (alpha = 1): number[] =>
      Array.from({ length: m * n }, (_, i) => {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += a[Math.floor(i / n) * k + j] * b[j * n + (i % n)];
        return alpha * sum;
      });
    const product = (options: Partial<Product> & Pick<Product, 'a' | 'b' | 'c'>): void => {
      commands.product({ operands: 'float32', result: 'float32', compute: 'float32', m, n, k, ...options });
      commands.flush();
    };
    const close = (got: ArrayLike<number>, wanted: readonly number[]): void => {
      const differences = wanted.map((value, i) => Math.abs(value - got[i]));
      expect(Math.max(...differences)).toBeLessThan(1e-6); // measured 1.2e-7
    };

    it.each([
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ])('row-major, A transposed %s, B transposed %s', (transposeA, transposeB) => {
      const first = onDevice(transposeA ? transpose(a.slice(0, m * k), m, k) : a.slice(0, m * k));
      const second = onDevice(transposeB ? transpose(b.slice(0, k * n), k, n) : b.slice(0, k * n));
      const c = allocate(4 * m * n);
      product({
        a: { address: first, stride: transposeA ? m : k },
        b: { address: second, stride: transposeB ? k : n },
        c: { address: c, stride: n },
        transposeA,
        transposeB,
      });
      close(read(c, m * n), expected());
    });

    it('with α and β, twice by the same plan', () => {
      const c = onDevice(Array.from({ length: m * n }, () => 2));
      const matrices = {
        a: { address: onDevice(a), stride: k },
        b: { address: onDevice(b), stride: n },
        c: { address: c, stride: n },
      };
      product({ ...matrices, alpha: 0.5, beta: 1 });
      product({ ...matrices, alpha: 0.5, beta: 1 });
      close(
        read(c, m * n),
        expected(1).map((value) => value + 2),
      );
    });

    it('in a batch, one operand shared', () => {
      const c = allocate(2 * 4 * m * n);
      product({
        a: { address: onDevice([...a.slice(0, m * k), ...a.slice(0, m * k)]), stride: k, batchStride: m * k },
        b: { address: onDevice(b), stride: n, batchStride: 0 },
        c: { address: c, stride: n, batchStride: m * n },
        batch: 2,
      });
      close(read(c, 2 * m * n), [...expected(), ...expected()]);
    });

    it('of nothing leave C alone', () => {
      const c = onDevice([1, 2, 3]);
      product({ a: { address: c, stride: k }, b: { address: c, stride: n }, c: { address: c, stride: n }, m: 0 });
      expect([...read(c, 3)]).toEqual([1, 2, 3]);
    });

    it.each<[string, Partial<Product>, RegExp]>([
      [
        'matrices larger than their memory',
        { m: 1000 },
        /A: expected allocated memory for 1 × 1000 rows of 4, got less/,
      ],
      ['rows that overlap', { n: 6 }, /B: expected at least 6 elements from row to row, got 5/],
      ['operands of another type', { compute: 'bf16' }, /expected operands in bf16/],
      ['no inner size', { k: 0 }, /k: expected a whole number in \[1, 2147483647\], got 0/],
      ['results of a batch at one place', { batch: 2 }, /stride C: expected more than 0/],
    ])('refuse %s', (_, options, message) => {
      const address = onDevice(new Float32Array(64));
      const matrix = (stride: number) => ({ address, stride });
      expect(() => product({ a: matrix(k), b: matrix(n), c: matrix(n), ...options })).toThrow(message);
    });
  });

  it('copies an array that changes at once, of any size', () => {
    const bytes = new Uint8Array(40e6).map((_, i) => i * 7);
    const before = bytes.slice();
    const address = allocate(bytes.length);
    addon.upload(address, bytes);
    bytes.fill(0);
    addon.download(address, bytes);
    expect(Buffer.compare(bytes, before)).toBe(0);
  });

  it('copies many small arrays through one ring', () => {
    const address = allocate(4 * 3000);
    for (let i = 0; i < 3000; i++) addon.upload(address + 4 * i, Float32Array.of(i));
    expect([...read(address, 3000)].every((value, i) => value === i)).toBe(true);
  });

  it('keeps a promise with what the device had when it was asked', async () => {
    const address = onDevice([1, 2, 3]);
    const [first, second] = [new Float32Array(3), new Float32Array(3)];
    const waiting = addon.downloadLater(address, first);
    addon.upload(address, Float32Array.of(4, 5, 6));
    await Promise.all([waiting, addon.downloadLater(address, second)]);
    expect([...first, ...second]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('breaks the promise of an array that is taken away', async () => {
    const array = new Float32Array(3);
    const waiting = addon.downloadLater(onDevice([1, 2, 3]), array);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    await expect(waiting).rejects.toThrow(/expected the array to stay as it was/);
  });

  it('counts memory in use and its peak', () => {
    addon.resetPeak();
    const before = addon.memory();
    const address = addon.allocate(1000);
    expect(addon.memory().used - before.used).toBe(1024);
    addon.free(address);
    expect(addon.memory()).toMatchObject({ used: before.used, peak: before.used + 1024 });
    expect(() => addon.free(address)).toThrow(/free: expected the address of an allocation/);
  });

  it('is out of memory in one line with the sizes, and goes on', () => {
    const error = thrownBy(() => addon.allocate(1e12));
    expect(error.code).toBe('CUDA_OUT_OF_MEMORY');
    expect(error.message).toMatch(
      /^CUDA: expected 1000000 MB more on .*, got \d+ MB free of \d+ MB \(.*smaller batch.*$/,
    );
    expect([...read(onDevice([1]), 1)]).toEqual([1]);
  });

  it('records commands and runs them again, with the memory that was taken meanwhile', () => {
    const [x, y] = [onDevice([1, 2]), onDevice([0, 0])];
    addon.beginCapture();
    const first = addon.allocate(8);
    commands.copy(first, x, 8);
    commands.copy(y, first, 8);
    commands.flush();
    addon.free(first);
    const second = addon.allocate(8);
    addon.free(second);
    expect(() => addon.upload(x, Float32Array.of(1))).toThrow(/expected no upload while commands are recorded/);
    const graph = addon.endCapture();
    expect(second).toBe(first);
    expect([...read(y, 2)]).toEqual([0, 0]);
    // Nothing else gets that memory while the graph may run.
    const others = Array.from({ length: 20 }, () => addon.allocate(8));
    expect(others).not.toContain(first);
    addon.upload(x, Float32Array.of(3, 4));
    addon.launchGraph(graph);
    expect([...read(y, 2)]).toEqual([3, 4]);
    addon.freeGraph(graph);
    for (const each of others) addon.free(each);
    expect(() => addon.launchGraph(graph)).toThrow(/expected the id of a graph/);
  });

  it('keeps what was freed while recording until the graph is freed', () => {
    const x = addon.allocate(8);
    addon.upload(x, Float32Array.of(1, 2));
    const y = onDevice([0, 0]);
    const before = addon.memory().used;
    addon.beginCapture();
    commands.copy(y, x, 8);
    commands.flush();
    addon.free(x);
    const graph = addon.endCapture();
    expect(addon.memory().used).toBe(before);
    addon.launchGraph(graph);
    expect([...read(y, 2)]).toEqual([1, 2]);
    addon.freeGraph(graph);
    expect(addon.memory().used).toBe(before - 256);
  });

  it('copies lasting numbers while recording, and never gives their memory away', () => {
    const y = onDevice([0, 0, 0, 0]);
    const before = addon.memory().used;
    addon.beginCapture();
    const first = addon.allocate(8);
    commands.fill(first, 8, 0);
    commands.copy(y, first, 8);
    commands.flush();
    addon.free(first);
    // Not where something is written when the graph runs.
    const lasting = addon.allocate(8, true);
    addon.upload(lasting, Float32Array.of(5, 6));
    commands.copy(y + 8, lasting, 8);
    commands.flush();
    addon.free(lasting);
    const other = addon.allocate(8);
    addon.free(other);
    const graph = addon.endCapture();
    expect([lasting === first, other === lasting, other === first]).toEqual([false, false, true]);
    for (let run = 0; run < 2; run++) {
      addon.upload(y, Float32Array.of(1, 2, 3, 4));
      addon.launchGraph(graph);
      expect([...read(y, 4)]).toEqual([0, 0, 5, 6]);
    }
    addon.freeGraph(graph);
    expect(addon.memory().used).toBe(before);
  });

  it.each([
    [true, 256],
    [false, 0],
  ])('keeps what recorded commands use although it is freed later: %s', (keepsAll, kept) => {
    const x = addon.allocate(8);
    addon.upload(x, Float32Array.of(1, 2));
    const y = onDevice([0, 0]);
    const before = addon.memory().used;
    addon.beginCapture(keepsAll);
    commands.copy(y, x, 8);
    commands.flush();
    const graph = addon.endCapture();
    addon.free(x);
    expect(addon.memory().used).toBe(before - 256 + kept);
    addon.freeGraph(graph);
    expect(addon.memory().used).toBe(before - 256);
  });

  it('measures time between marks', () => {
    const [from, to] = [addon.mark(), addon.mark()];
    expect(addon.elapsed(from, to)).toBeGreaterThanOrEqual(0);
    addon.freeMark(from);
    addon.freeMark(to);
    expect(() => addon.elapsed(from, to)).toThrow(/expected the id of a mark/);
  });

  it('gives the log of source that does not compile', () => {
    const error = thrownBy(() => addon.compile('KERNEL f() { nonsense; }', 'wrong.cu', ['--gpu-architecture=sm_90']));
    expect(error.code).toBe('CUDA_COMPILE');
    expect(error.message).toMatch(/error/);
  });

  it.each<[string, (id: number) => number[], RegExp]>([
    ['an unknown opcode', () => [9], /command 0 \(command\): opcode: expected a whole number in \[1, 4\], got 9/],
    ['no number', () => [Number.NaN], /opcode: expected a whole number in \[1, 4\], got nan/],
    ['an end too early', (id) => [OPCODES.launch, id, 1], /grid y: expected a word, got the end of the commands/],
    ['an unknown kernel', () => [OPCODES.launch, 1e6, 1, 1, 1, 1, 0, 0], /kernel: expected a whole number/],
    ['no blocks', (id) => [OPCODES.launch, id, 0, 1, 1, 1, 0, 0], /grid x: expected .* got 0/],
    ['too much shared memory', (id) => [OPCODES.launch, id, 1, 1, 1, 1, 1e6, 0], /bytes of shared memory: expected/],
    ['too few arguments', (id) => [OPCODES.launch, id, 1, 1, 1, 1, 0, 0], /everything\): expected 6 arguments, got 0/],
    ['a wrong argument', (id) => [OPCODES.launch, id, 1, 1, 1, 1, 0, 6, 1, 3], /argument 0: expected 8 bytes, got 4/],
    [
      'a foreign address',
      (id) => [OPCODES.launch, id, 1, 1, 1, 1, 0, 6, 0, 4096],
      /address of allocated memory, got 4096/,
    ],
    ['an unknown argument', (id) => [OPCODES.launch, id, 1, 1, 1, 1, 0, 6, 6], /type of an argument: expected/],
    ['an endless struct', (id) => [OPCODES.launch, id, 1, 1, 1, 1, 0, 6, 4, 1e9], /ints of a struct: expected/],
    ['half a size', () => [OPCODES.fill, 0, 0.5, 0], /fill\): bytes: expected a whole number/],
    ['a foreign fill', () => [OPCODES.fill, 4096, 16, 0], /expected 16 bytes of allocated memory/],
    ['a foreign copy', () => [OPCODES.copy, 4096, 4096, 16], /to: expected 16 bytes of allocated memory/],
  ])('refuses commands with %s', (_, words, message) => {
    expect(() => run(...words(everything))).toThrow(message);
    expect(thrownBy(() => run(...words(everything)))).toBeInstanceOf(TypeError);
  });

  it('names the command that is wrong, and has done those before it', () => {
    const x = onDevice([1, 2]);
    expect(() => run(OPCODES.fill, x, 4, 0, OPCODES.fill, x, 99999, 0)).toThrow(/command 1 \(fill\)/);
    expect([...read(x, 2)]).toEqual([0, 2]);
  });

  it('refuses more threads than a kernel was compiled for', () => {
    expect(() => run(OPCODES.launch, fewThreads, 1, 1, 1, 128, 0, 1, 0, 0)).toThrow(/threads: expected .* \[1, 64\]/);
  });

  it.each<[string, () => unknown]>([
    ['open', () => addon.open({} as never)],
    ['compile', () => addon.compile(1 as never, 'x', [])],
    ['loadKernels', () => addon.loadKernels(new Uint8Array(3), ['x'])],
    ['allocate', () => addon.allocate(-1)],
    ['free', () => addon.free(1)],
    ['upload', () => addon.upload(0, [] as never)],
    ['upload too much', () => addon.upload(allocate(4), new Float32Array(1000))],
    ['download', () => addon.download(0, new Float32Array(1))],
    ['downloadLater', () => addon.downloadLater('x' as never, new Float32Array(1))],
    ['execute', () => addon.execute([] as never, 0)],
    ['execute too long', () => addon.execute(new Float64Array(2), 3)],
    ['launchGraph', () => addon.launchGraph(99)],
    ['freeGraph', () => addon.freeGraph(Number.NaN)],
    ['elapsed', () => addon.elapsed(98, 99)],
    ['freeMark', () => addon.freeMark(99)],
  ])('%s: wrong arguments are TypeErrors', (_, call) => {
    expect(thrownBy(call)).toBeInstanceOf(TypeError);
  });
});

describe.skipIf(emulated === undefined)('a process of its own', () => {
  /** Runs a script with `cuda`, opened, and two functions of the test above. */
  function inProcess(script: string, env: Record<string, string> = {}): { printed: string; status: number | null } {
    const text = `
      const { cuda } = require(${JSON.stringify(findAddon())});
      const places = ${JSON.stringify(libraryPlaces())};
      const attempt = (work) => { try { console.log(work()); } catch (e) { console.log(e.code + ': ' + e.message); } };
      ${script}`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', text], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    return { printed: stdout + stderr, status };
  }

  it('says that a device is lost, at every call from then on, and ends without a crash', () => {
    const { printed, status } = inProcess(
      `cuda.open(places);
       const cubin = cuda.compile('extern "C" __global__ void f() {}', 'f.cu', ['--gpu-architecture=sm_90']);
       const [f] = cuda.loadKernels(cubin, ['f']);
       const memory = cuda.allocate(4);
       const words = Float64Array.of(1, f, 1, 1, 1, 1, 0, 0);
       attempt(() => { cuda.execute(words, 8); cuda.synchronize(); });
       attempt(() => cuda.allocate(4));
       attempt(() => cuda.free(memory));
       attempt(() => cuda.download(memory, new Float32Array(1)));`,
      { TOKENFUSE_EMULATED_LOSS: '1' },
    );
    const lines = printed.trim().split('\n');
    expect(lines[0]).toMatch(
      /^CUDA_LOST: CUDA: .* no longer answers \(CUDA_ERROR_.*\); the last command was kernel f; training goes on .*--resume$/,
    );
    expect(lines[1]).toBe(lines[0]);
    expect(lines[2]).toBe('undefined');
    expect(lines[3]).toBe(lines[0]);
    expect(status).toBe(0);
  });

  it('names each file that cannot be loaded, and compiles all the same where NVRTC is there', () => {
    const { printed, status } = inProcess(`
      attempt(() => cuda.open({ ...places, driver: ['libno-driver.so.1', '/nowhere/libcuda.so.1'] }));
      attempt(() => cuda.compile('extern "C" __global__ void f() {}', 'f.cu', ['--gpu-architecture=sm_80']).length > 0);
      attempt(() => cuda.allocate(4));`);
    expect(printed.trim().split('\n')).toEqual([
      expect.stringMatching(
        /^CUDA_LIBRARY: CUDA: no libcuda\.so\.1; libno-driver\.so\.1: .*; \/nowhere\/libcuda\.so\.1: .*/,
      ),
      'true',
      'undefined: CUDA: expected an open card; call open first',
    ]);
    expect(status).toBe(0);
  });

  it('may end while a download is under way', () => {
    const { printed, status } = inProcess(`
      cuda.open(places);
      cuda.downloadLater(cuda.allocate(1e6), new Uint8Array(1e6));
      process.exit(0);`);
    expect(printed).toBe('');
    expect(status).toBe(0);
  });
});

function thrownBy(work: () => unknown): Error & { code?: string } {
  try {
    work();
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error('expected an error, got none');
}
