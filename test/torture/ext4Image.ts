import { spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, rmdirSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const IMAGE_BYTES = 64 << 20;
/**
 * Nothing reaches the image but what is flushed, and what a flush takes along: no commit by time within a test, and no
 * flush before a rename, which other file systems do not do either.
 */
const MOUNT_OPTIONS = 'loop,noatime,commit=300,noauto_da_alloc';

/** Mount points in use, so that an interrupted test leaves none behind. */
const mounted = new Set<string>();
process.once('exit', () => {
  for (const point of mounted) spawnSync('umount', ['--lazy', point]);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Why ext4 images cannot be mounted here; undefined where they can. */
export function whyNoImages(folder: string): string | undefined {
  if (process.platform !== 'linux') return `needs Linux, this is ${process.platform}`;
  if (process.geteuid?.() !== 0) return 'needs root, to mount an ext4 image';
  try {
    const image = new Ext4Image(join(folder, 'probe.img'));
    image.make(() => undefined);
    image.remove();
    return undefined;
  } catch (error) {
    return `no ext4 image can be mounted: ${(error as Error).message}`;
  }
}

/** A file with an ext4 file system in it. */
export class Ext4Image {
  /** @param folder where its files are while it is mounted */
  constructor(
    readonly path: string,
    readonly folder = `${path}.mounted`,
  ) {}

  /** Makes a new file system with the files that `fill` writes into it. */
  make(fill: (folder: string) => void): void {
    closeSync(openSync(this.path, 'w'));
    truncateSync(this.path, IMAGE_BYTES);
    command('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0', this.path]);
    this.mount();
    try {
      fill(this.folder);
    } finally {
      this.unmount();
    }
  }

  /** What is on the disk at this moment, and not what is only in memory. */
  copyTo(path: string, folder?: string): Ext4Image {
    // cp leaves holes as holes; most of an image is one.
    command('cp', ['--sparse=always', this.path, path]);
    return new Ext4Image(path, folder);
  }

  /** Writes the journal, which holds names and sizes, but the content of no file except a small one of ours. */
  commitJournal(): void {
    const descriptor = openSync(join(this.folder, 'flushed-by-another-program'), 'w');
    writeSync(descriptor, 'x');
    fsyncSync(descriptor);
    closeSync(descriptor);
  }

  mount(): void {
    mkdirSync(this.folder, { recursive: true });
    command('mount', ['-o', MOUNT_OPTIONS, this.path, this.folder]);
    mounted.add(this.folder);
  }

  unmount(): void {
    if (!mounted.has(this.folder)) return;
    // Lazy: a process may hold a descriptor of a file in it for a moment longer.
    command('umount', ['--lazy', this.folder]);
    mounted.delete(this.folder);
    rmdirSync(this.folder);
  }

  remove(): void {
    this.unmount();
    rmSync(this.path, { force: true });
  }
}

function command(name: string, words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(name, words, { encoding: 'utf8' });
  if (error !== undefined || status !== 0) throw new Error(`${name}: ${error?.message ?? stderr.trim()}`);
}
