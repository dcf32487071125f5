import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What happens at the chosen call; the numbers are those of `enum action` in faults.c. */
export const FAULTS = { kill: 1, killGroup: 2, halfThenKill: 3, full: 4, fullOnce: 5, stopGroup: 6 } as const;
export type Fault = keyof typeof FAULTS;

/** Beside this file, or beside the source that it was compiled from. */
const SOURCE = ['.', '../../../test/torture']
  .map((place) => join(import.meta.dirname, place, 'faults.c'))
  .find((path) => existsSync(path)) as string;
/** Four counters of 64 bits and the folder: `struct control` in faults.c. */
const COUNTERS_BYTES = 32;
const CONTROL_BYTES = COUNTERS_BYTES + 1024;

/** Compiles the library that counts and breaks file-system calls; the reason when that is not possible here. */
export function compileFaults(folder: string): { readonly library: string } | { readonly missing: string } {
  if (process.platform !== 'linux') return { missing: `LD_PRELOAD works on Linux, this is ${process.platform}` };
  const library = join(folder, 'faults.so');
  const words = ['-x', 'c', '-std=gnu11', '-O2', '-Wall', '-shared', '-fPIC', '-o', library, SOURCE, '-ldl'];
  const { status, stderr, error } = spawnSync('c++', words, { encoding: 'utf8' });
  if (error !== undefined) return { missing: 'no compiler: expected c++ on the PATH' };
  return status === 0 ? { library } : { missing: `c++ does not compile ${SOURCE}: ${stderr.split('\n')[0]}` };
}

/** Counts the calls of a process and of its children that change files below a folder, and breaks one of them. */
export class FaultControl {
  readonly #path: string;
  readonly #library: string;
  readonly #descriptor: number;

  constructor(path: string, library: string) {
    this.#path = path;
    this.#library = library;
    this.#descriptor = openSync(path, 'w+');
    this.watch('');
  }

  /** Counts from 0 below `folder`; with a fault, that happens at call number `at`, the first being 1. */
  watch(folder: string, at = 0, fault: Fault = 'kill'): void {
    const bytes = Buffer.alloc(CONTROL_BYTES);
    bytes.writeBigInt64LE(BigInt(at), 0);
    bytes.writeBigInt64LE(BigInt(FAULTS[fault]), 8);
    bytes.write(folder, COUNTERS_BYTES);
    writeSync(this.#descriptor, bytes, 0, CONTROL_BYTES, 0);
  }

  /** Calls so far, and whether the fault has happened. */
  read(): { readonly calls: number; readonly reached: boolean } {
    const bytes = Buffer.alloc(COUNTERS_BYTES);
    readSync(this.#descriptor, bytes, 0, COUNTERS_BYTES, 0);
    return { calls: Number(bytes.readBigInt64LE(16)), reached: bytes.readBigInt64LE(24) > 0n };
  }

  /** What the process to be broken needs. io_uring would bypass the library. */
  environment(): Record<string, string> {
    return { LD_PRELOAD: this.#library, TORTURE_CONTROL: this.#path, UV_USE_IO_URING: '0' };
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
