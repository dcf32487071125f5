/**
 * @file Compiles the emulated card to dist/test/engine/cuda/emulator/: libraries with the names of the driver, NVRTC and cuBLASLt,
 * which run CUDA kernels on the CPU. What is up to date is not compiled again. Prints one line.
 *
 * CXX names a compiler; the emulated NVRTC then uses the same. `--out <folder>` takes the place of that folder.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ options: { out: { type: 'string' } } });
const here = dirname(fileURLToPath(import.meta.url));
const folder = resolvePath(options.out ?? join(here, '../../../../dist/test/engine/cuda/emulator'));

const FLAGS = [
  '-std=c++17',
  '-O2',
  '-fPIC',
  '-pthread',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
  '-ffp-contract=fast',
];
/** Where numbers are many. */
const FAST = ['-O3', '-march=native'];
const LIBRARIES = {
  'libcuda.so.1': ['contextSwitch.cc', 'driver.cc', 'fibers.cc', 'kernels.cc', 'memory.cc', 'stream.cc', 'warp.cc'],
  'libnvrtc.so.13': ['nvrtc.cc'],
  'libcublasLt.so.13': ['cublasLt.cc'],
};
const FAST_FILES = ['cublasLt.cc', 'warp.cc'];
/** What the emulated NVRTC includes when it compiles kernels. */
const HEADERS = ['emulated.h', 'machine.h'];

function findCompiler() {
  for (const command of process.env.CXX === undefined ? ['c++', 'g++', 'clang++'] : [process.env.CXX]) {
    try {
      const printed = execFileSync(command, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      return { command, version: printed.split('\n')[0] };
    } catch {
      // Not there: the next one may be.
    }
  }
  return undefined;
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    let messages = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      messages += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) reject(new Error(messages.trim() || `exit code ${code}`));
      else {
        process.stderr.write(messages);
        resolve();
      }
    });
  });
}

function digestOf(compiler) {
  const hash = createHash('sha256').update(JSON.stringify([compiler, process.arch]));
  for (const file of readdirSync(here).sort()) {
    if (/\.(cc|h|mjs)$/.test(file)) hash.update(file).update(readFileSync(join(here, file)));
  }
  return hash.digest('hex');
}

/** A number that few builds share: the emulated NVRTC's minor version. */
const buildNumber = (digest) => 1000 + (Number.parseInt(digest.slice(0, 8), 16) % 9000);

async function build(compiler, digest) {
  mkdirSync(folder, { recursive: true });
  const aside = mkdtempSync(join(folder, 'building-'));
  try {
    const defines = [
      `-DTOKENFUSE_EMULATED_COMPILER="${compiler.command}"`,
      `-DTOKENFUSE_EMULATED_BUILD=${buildNumber(digest)}`,
    ];
    const waiting = Object.values(LIBRARIES).flat();
    const worker = async () => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        const own = FAST_FILES.includes(file) ? FAST : [];
        await run(compiler.command, [
          ...FLAGS,
          ...own,
          ...defines,
          ...['-c', join(here, file), '-o', join(aside, `${file}.o`)],
        ]);
      }
    };
    await Promise.all([worker(), worker()]);
    for (const [library, files] of Object.entries(LIBRARIES)) {
      const objects = files.map((file) => join(aside, `${file}.o`));
      const linked = ['-shared', '-pthread', '-Wl,-z,defs', ...objects, '-ldl', '-o', join(aside, library)];
      await run(compiler.command, linked);
    }
    for (const header of HEADERS) copyFileSync(join(here, header), join(aside, header));
    writeFileSync(join(aside, 'stamp'), digest);
    for (const file of [...Object.keys(LIBRARIES), ...HEADERS, 'stamp'])
      renameSync(join(aside, file), join(folder, file));
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

const compiler = findCompiler();
if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
  process.stdout.write(`emulated card: absent, it is not written for ${process.platform} ${process.arch}\n`);
} else if (compiler === undefined) {
  process.stdout.write('emulated card: absent, no C++ compiler was found; install g++ or clang++ (or set CXX)\n');
} else {
  const digest = digestOf(compiler);
  const stamp = join(folder, 'stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) {
    process.stdout.write(`emulated card: up to date in ${folder}\n`);
  } else {
    const started = performance.now();
    await build(compiler, digest);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    process.stdout.write(`emulated card: compiled in ${seconds} s to ${folder}\n`);
  }
}
