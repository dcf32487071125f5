import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '#src/errors';
import { readBytes, readSource, readTarIndex } from '#src/storage';
import { paxRecord, type TarFile, tarBytes, tarHeader } from '../support/tarBytes.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

function write(bytes: Uint8Array): string {
  const path = join(temporaryFolder(), 'a.tar');
  writeFileSync(path, bytes);
  return path;
}

/** Names and contents, read back through the index. */
function contents(path: string): [string, string][] {
  return readTarIndex(path).map(({ name, ...place }) => [
    name,
    readBytes({ path: name, member: { archive: path, ...place } }, 'member').toString(),
  ]);
}

const hasGnuTar = spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout?.includes('GNU tar') === true;

const LONG = `${'folder/'.repeat(20)}${'n'.repeat(60)}.txt`;
const VERY_LONG = `${'folder/'.repeat(40)}${'ü'.repeat(80)}.txt`;

describe('readTarIndex', () => {
  it('tells where the files lie, whatever way their names are written', () => {
    const files: TarFile[] = [
      { name: 'a.txt', content: 'one' },
      { name: 'empty.txt' },
      { name: 'folder/', type: '5' },
      { name: 'old/', type: '\0' },
      { name: 'old/file.txt', type: '\0', content: 'x'.repeat(512) },
      { name: LONG, content: 'two' },
      { name: LONG.replace('.txt', '.json'), content: 'three', dialect: 'gnu' },
      { name: VERY_LONG, content: 'four', dialect: 'pax' },
      { name: './b.txt', content: 'y'.repeat(513) },
    ];
    expect(contents(write(tarBytes(files)))).toEqual([
      ['a.txt', 'one'],
      ['empty.txt', ''],
      ['old/file.txt', 'x'.repeat(512)],
      [LONG, 'two'],
      [LONG.replace('.txt', '.json'), 'three'],
      [VERY_LONG, 'four'],
      ['b.txt', 'y'.repeat(513)],
    ]);
  });

  it('takes a size from a pax record and from a GNU binary field', () => {
    const pax = paxRecord('size', '5');
    const blocks = [
      tarHeader('PaxHeaders/a', pax.length, 'x'),
      pax,
      Buffer.alloc(512 - pax.length),
      tarHeader('a.txt', 0),
      Buffer.from('hello'),
      Buffer.alloc(507),
      tarHeader('b.txt', 0, '0', (header) => {
        header.fill(0, 124, 136);
        header[124] = 0x80;
        header[135] = 3;
      }),
      Buffer.from('you'),
      Buffer.alloc(509),
      Buffer.alloc(1024),
    ];
    expect(contents(write(Buffer.concat(blocks)))).toEqual([
      ['a.txt', 'hello'],
      ['b.txt', 'you'],
    ]);
  });

  it.skipIf(!hasGnuTar).each(['ustar', 'pax', 'gnu'])(
    'reads what the tar command writes in the %s format',
    (format) => {
      const folder = temporaryFolder();
      const names = ['a.txt', 'dir/b.txt', LONG, ...(format === 'ustar' ? [] : [VERY_LONG.slice(-240)])];
      for (const name of names) {
        mkdirSync(dirname(join(folder, 'in', name)), { recursive: true });
        writeFileSync(join(folder, 'in', name), `content of ${name}`);
      }
      const path = join(folder, 'a.tar');
      execFileSync('tar', [`--format=${format}`, '-cf', path, '-C', join(folder, 'in'), '.']);
      expect(contents(path).sort()).toEqual(names.map((name) => [name, `content of ${name}`]).sort());
    },
  );

  it('reads headers alone: four sparse members of 1 GiB cost no memory and no time', () => {
    const path = join(temporaryFolder(), 'sparse.tar');
    const descriptor = openSync(path, 'w');
    const length = 2 ** 30;
    for (let i = 0; i < 4; i++) writeSync(descriptor, tarHeader(`${i}.bin`, length), 0, 512, i * (512 + length));
    ftruncateSync(descriptor, 4 * (512 + length) + 1024);
    closeSync(descriptor);
    const before = process.memoryUsage().rss;
    const start = performance.now();
    expect(readTarIndex(path).map(({ offset }) => offset)).toEqual([0, 1, 2, 3].map((i) => i * (512 + length) + 512));
    // Measured: under 5 ms and under 1 MiB.
    expect(performance.now() - start).toBeLessThan(2000);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });

  it.each<[string, TarFile, RegExp]>([
    ['an absolute name', { name: '/etc/passwd' }, /the name "\/etc\/passwd" is absolute/],
    ['a drive', { name: 'C:\\windows' }, /is absolute/],
    ['a way out', { name: 'a/../../b.txt' }, /leads out of it by '\.\.'/],
    ['a way out with backslashes', { name: 'a\\..\\b.txt' }, /leads out of it by '\.\.'/],
    ['a way out in a pax name', { name: '../b.txt', dialect: 'pax' }, /leads out of it/],
    ['a way out in a GNU name', { name: '../b.txt', dialect: 'gnu' }, /leads out of it/],
    ['an empty name', { name: '' }, /the name "" is empty/],
    ['a line end in a name', { name: 'a\nb' }, /holds a control character/],
    ['a symbolic link', { name: 'a', type: '2' }, /"a" is a symbolic link; expected only regular files/],
    ['a hard link', { name: 'a', type: '1' }, /"a" is a hard link/],
    ['a device', { name: 'a', type: '3' }, /"a" is a character device/],
    ['a sparse file', { name: 'a', type: 'S' }, /"a" is a sparse file/],
    ['an unknown type', { name: 'a', type: 'Z' }, /"a" is of unknown type "Z"/],
    ['a size that is no number', { name: 'a', edit: (h) => h.write('abc\0', 124) }, /size is not a number/],
    [
      'a giant size',
      { name: 'a', edit: (h) => h.fill(0x37, 124, 135) },
      /holds 8589934591 bytes, the archive has \d+ more/,
    ],
    [
      'a size beyond numbers',
      { name: 'a', edit: (h) => h.fill(0xff, 125, 136).fill(0x80, 124, 125) },
      /not a number of bytes/,
    ],
    ['a negative size', { name: 'a', edit: (h) => h.fill(0xff, 124, 136) }, /size is not a number of bytes/],
  ])('refuses %s', (_name, file, message) => {
    const path = write(tarBytes([{ name: 'fine.txt', content: 'fine' }, file]));
    expect(userErrorLine(() => readTarIndex(path))).toMatch(message);
    expect(userErrorLine(() => readTarIndex(path))).toContain(`${path}: not a valid tar archive: at byte `);
  });

  it.skipIf(!hasGnuTar)('refuses a link as the tar command writes it', () => {
    const folder = temporaryFolder();
    symlinkSync('/etc/passwd', join(folder, 'link.txt'));
    execFileSync('tar', ['-cf', join(folder, 'a.tar'), '-C', folder, 'link.txt']);
    expect(userErrorLine(() => readTarIndex(join(folder, 'a.tar')))).toContain('is a symbolic link');
  });

  it('refuses a name that occurs twice', () => {
    const path = write(tarBytes([{ name: 'a.txt' }, { name: './a.txt' }]));
    expect(userErrorLine(() => readTarIndex(path))).toMatch(/the name ".\/a.txt" occurs a second time/);
  });

  it('refuses an archive cut anywhere', () => {
    const whole = tarBytes([
      { name: 'a.txt', content: 'a'.repeat(700) },
      { name: LONG, content: 'b', dialect: 'pax' },
    ]);
    const path = write(whole);
    // The end mark is two blocks of zeros; the first of them says enough.
    for (let length = 0; length < whole.length - 512; length += 64) {
      writeFileSync(path, whole.subarray(0, length));
      expect(userErrorLine(() => readTarIndex(path))).toMatch(/the archive is truncated|holds \d+ bytes/);
    }
  });

  it('refuses a second archive behind the first, which would be lost', () => {
    const one = tarBytes([{ name: 'a.txt', content: 'a' }]);
    expect(userErrorLine(() => readTarIndex(write(Buffer.concat([one, Buffer.alloc(10240), one]))))).toContain(
      'data after the end mark',
    );
  });

  it('names the compression of a compressed archive', () => {
    const path = write(Buffer.concat([Buffer.from([0x1f, 0x8b, 8]), Buffer.alloc(1000, 7)]));
    expect(userErrorLine(() => readTarIndex(path))).toContain('compressed with gzip; decompress it first');
  });

  it('refuses text, a folder, and nothing', () => {
    const path = write(Buffer.from('these are no tar headers '.repeat(100)));
    expect(userErrorLine(() => readTarIndex(path))).toContain('the checksum of the header does not fit');
    expect(userErrorLine(() => readTarIndex(dirname(path)))).toContain('is a folder');
    expect(userErrorLine(() => readTarIndex(join(dirname(path), 'absent.tar')))).toContain('no such file');
  });

  it('says when an archive has shrunk since it was indexed', async () => {
    const path = write(tarBytes([{ name: 'a.txt', content: 'content' }]));
    const [{ offset, length }] = readTarIndex(path);
    writeFileSync(path, 'short');
    const source = { path: 'a.txt', member: { archive: path, offset, length } };
    expect(userErrorLine(() => readBytes(source, 'image'))).toBe('cannot read image a.txt: the archive ends inside it');
    await expect(readSource(source)).rejects.toThrow('the archive ends inside it');
  });

  it('fails on damaged archives by UserError alone', () => {
    const whole = tarBytes([
      { name: 'a.txt', content: 'hello' },
      { name: VERY_LONG, content: 'x', dialect: 'pax' },
      { name: LONG, content: 'y', dialect: 'gnu' },
    ]);
    const path = write(whole);
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    const damaged = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.array(change, { maxLength: 8 }), fc.nat(whole.length)).map(([changes, length]) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes.subarray(0, length);
      }),
      // A pax header that passes the checksum and holds anything.
      fc.uint8Array({ maxLength: 512 }).map((bytes) => {
        const padded = Buffer.alloc(512);
        padded.set(bytes);
        return Buffer.concat([tarHeader('x', bytes.length, 'x'), padded, whole]);
      }),
      fc
        .string({ maxLength: 40 })
        .map((record) => tarBytes([{ name: 'x', type: 'x', content: record }, { name: 'a' }])),
    );
    const reads = fc.property(damaged, (bytes) => {
      writeFileSync(path, bytes);
      try {
        for (const { offset, length } of readTarIndex(path)) expect(offset + length).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        expect(error.message).toMatch(/^[^\n]+$/);
      }
    });
    fc.assert(reads, { numRuns: 600 });
  });

  it('takes time in proportion to the archive', () => {
    const folder = temporaryFolder();
    // Processor time, in microseconds: other processes do not count.
    const timeOf = (count: number): number => {
      const path = join(folder, `${count}.tar`);
      writeFileSync(path, tarBytes(Array.from({ length: count }, (_, i) => ({ name: `${i}.txt`, content: 'words' }))));
      return Math.min(
        ...[1, 2, 3].map(() => {
          const start = process.cpuUsage().user;
          expect(readTarIndex(path)).toHaveLength(count);
          return process.cpuUsage().user - start;
        }),
      );
    };
    timeOf(500);
    // Eight times the members; 64 times would be quadratic.
    expect(timeOf(16000) / timeOf(2000)).toBeLessThan(24);
  });
});
