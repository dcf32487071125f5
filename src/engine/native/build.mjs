/**
 * @file Compiles cpp/, and on Linux ../cuda/cpp/, to dist/src/engine/native/tokenfuse.node with the system's C++ compiler; when the
 * package is installed, and as a part of `npm run build`. What is up to date is not compiled again.
 *
 * Without a compiler, or where it fails, one line says so and the exit code is 0: the other engines serve.
 * Why it is absent is kept beside it in tokenfuse.node.log.
 * CXX names another compiler, CXXFLAGS adds options, `--out <folder>` takes the place of that folder, and `--check`
 * shows warnings and asks for failures to be failures.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { basename, dirname, join, relative, resolve as resolvePath, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ options: { check: { type: 'boolean' }, out: { type: 'string' } } });
const here = dirname(fileURLToPath(import.meta.url));
/** The CUDA engine's part needs nothing to build: what it calls is found when it runs. */
const hasCuda = process.platform === 'linux';
const sources = [join(here, 'cpp'), ...(hasCuda ? [join(here, '../cuda/cpp')] : [])];
const folder = resolvePath(options.out ?? join(here, '../../../dist/src/engine/native'));
const target = join(folder, 'tokenfuse.node');
const stamp = `${target}.sha256`;
/** For `doctor`: why there is no module, what to do about it, and all that the compiler said. */
const failureLog = `${target}.log`;

/**
 * Each of these is used where the compiler takes it: guarded stack frames, checked copies, a table of functions that
 * nothing can write to, no stack that can be run. None is inside a kernel's loops.
 */
const HARDENING = [
  ['-fstack-protector-strong'],
  ['-fstack-clash-protection'],
  ['-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2'],
  ['-Wl,-z,relro,-z,now'],
  ['-Wl,-z,noexecstack'],
];

const FLAGS = [
  ...['-std=c++17', '-O3', '-fPIC', '-pthread', '-fvisibility=hidden', '-Wall', '-Wextra'],
  // g++ is mistaken in these; clang++ does not know them.
  ...['-Wno-maybe-uninitialized', '-Wno-unknown-warning-option'],
  // No fast-math: NaN and infinity must be seen. These three change no finite result but the fusing of a·b + c.
  ...['-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast'],
];
/** Last, so that they have the last word. */
const OWN_FLAGS = (process.env.CXXFLAGS ?? '').split(/\s+/).filter(Boolean);

const AVX2 = ['-mavx2', '-mfma'];
const AVX512 = [...AVX2, '-mavx512f', '-mavx512dq', '-mavx512bw', '-mavx512vl', '-mprefer-vector-width=512'];

const AVX512_BF16 = [...AVX512, '-mavx512bf16'];

/** Files that are compiled once for each instruction set; which build runs is decided when the module is loaded. */
const INSTRUCTION_SETS =
  process.arch === 'x64'
    ? {
        'kernels.cc': { baseline: [], avx2: AVX2, avx512: AVX512 },
        'bf16Products.cc': {
          avx2: AVX2,
          avx512: AVX512,
          avx512bf16: AVX512_BF16,
          amxBf16: [...AVX512_BF16, '-mamx-tile', '-mamx-bf16'],
        },
      }
    : { 'kernels.cc': { baseline: [] }, 'bf16Products.cc': {} };

/** As in a clone, or where this package is another one's dependency. */
const again = here.includes(`${sep}node_modules${sep}`) ? 'npm rebuild tokenfuse' : 'npm run build';

function absent(why, remedy, details = '') {
  process.stdout.write(`native engine: absent, ${why}; ${remedy}\n`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(failureLog, `${why}\n${remedy}\n${details}`);
  } catch {
    // An installation must not fail for it.
  }
  if (options.check) process.exitCode = 1;
}

/** The compiler and what it says of itself; undefined when none answers. */
function findCompiler() {
  const named = process.env.CXX === undefined ? [] : [process.env.CXX];
  for (const command of named.length > 0 ? named : ['c++', 'g++', 'clang++']) {
    try {
      const printed = execFileSync(command, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      return { command, version: printed.split('\n')[0] };
    } catch {
      // Not there: the next one may be.
    }
  }
  return undefined;
}

function listFiles(path) {
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? listFiles(join(path, entry.name)) : [join(path, entry.name)]))
    .filter((file) => /\.(cc|h)$/.test(file))
    .sort();
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
        if (options.check) process.stderr.write(messages);
        resolve();
      }
    });
  });
}

/** What is tried before the kernels that need it are compiled, and the name they are then known by. */
const PROBES = {
  avx512bf16: {
    define: '-DTOKENFUSE_AVX512BF16',
    source: '__m512 f(__m512 x, __m512bh y) { return _mm512_dpbf16_ps(x, y, y); }',
  },
  amxBf16: { define: '-DTOKENFUSE_AMX', source: 'void f() { _tile_dpbf16ps(0, 1, 2); }' },
};

/** Of the builds for bf16 those that the compiler, and the assembler behind it, know the instructions of. */
function knownBuilds(compiler, aside) {
  return Object.entries(PROBES).filter(([name, { source }]) => {
    const flags = INSTRUCTION_SETS['bf16Products.cc'][name];
    // Only on Linux does a program get at the registers of AMX.
    if (flags === undefined || (name === 'amxBf16' && process.platform !== 'linux')) return false;
    const args = [...flags, '-x', 'c++', '-c', '-', '-o', join(aside, 'probe.o')];
    try {
      const input = `#include <immintrin.h>\n${source}\n`;
      execFileSync(compiler.command, args, { input, stdio: ['pipe', 'ignore', 'ignore'] });
      return true;
    } catch {
      return false;
    }
  });
}

/** The hardening that the compiler and the linker know; the library of a sanitizer checks copies itself. */
function knownHardening(compiler, aside) {
  const probe = join(aside, 'hardening.cc');
  writeFileSync(probe, '#include <cstring>\nint f(char* to, const char* from) { std::strcpy(to, from); return 0; }\n');
  const isSanitized = OWN_FLAGS.some((flag) => flag.startsWith('-fsanitize='));
  return HARDENING.filter((flags) => {
    if (isSanitized && flags.includes('-D_FORTIFY_SOURCE=2')) return false;
    // A warning says that a flag does nothing here.
    const args = ['-O2', '-fPIC', '-Werror', ...flags, '-shared', probe, '-o', join(aside, 'hardening.so')];
    try {
      execFileSync(compiler.command, args, { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  }).flat();
}

async function compile(compiler, aside) {
  const includes = ['-isystem', join(dirname(createRequire(import.meta.url).resolve('node-api-headers')), 'include')];
  const known = knownBuilds(compiler, aside);
  const flags = [...FLAGS, ...knownHardening(compiler, aside), ...OWN_FLAGS];
  const defines = [
    '-DNAPI_VERSION=8',
    ...(hasCuda ? ['-DTOKENFUSE_CUDA'] : []),
    ...known.map(([, { define }]) => define),
  ];
  const jobs = sources
    .flatMap(listFiles)
    .filter((file) => file.endsWith('.cc'))
    .flatMap((file) => {
      const object = relative(here, file).replace(/\W/g, '_');
      const sets = INSTRUCTION_SETS[basename(file)];
      if (sets === undefined) return [{ file, own: [], object: `${object}.o` }];
      return Object.entries(sets)
        .filter(([name]) => !(name in PROBES) || known.some(([build]) => build === name))
        .map(([name, own]) => ({ file, own, object: `${object}-${name}.o` }));
    });
  const compiling = flags.filter((flag) => !flag.startsWith('-Wl,'));
  const waiting = [...jobs].sort((a, b) => b.own.length - a.own.length);
  const worker = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const output = ['-c', job.file, '-o', join(aside, job.object)];
      await run(compiler.command, [...compiling, ...job.own, ...defines, ...includes, ...output]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, os.availableParallelism()) }, worker));
  const undefinedLater = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : [];
  const libraries = hasCuda ? ['-ldl'] : [];
  const objects = jobs.map(({ object }) => join(aside, object));
  const library = join(aside, 'tokenfuse.node');
  await run(compiler.command, [...flags, '-shared', ...undefinedLater, ...objects, ...libraries, '-o', library]);
  return library;
}

/** Builds unless what lies there was built of the same sources, by the same compiler, in the same way. */
async function build(compiler) {
  const started = performance.now();
  const hash = createHash('sha256').update(
    JSON.stringify([FLAGS, OWN_FLAGS, INSTRUCTION_SETS, compiler, process.arch]),
  );
  for (const file of [...sources.flatMap(listFiles), fileURLToPath(import.meta.url)]) {
    hash.update(relative(here, file)).update(readFileSync(file));
  }
  const digest = hash.digest('hex');
  rmSync(failureLog, { force: true });
  if (existsSync(target) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  mkdirSync(folder, { recursive: true });
  // Beside the target, so that the last step is a rename within one file system.
  const aside = mkdtempSync(join(folder, 'building-'));
  try {
    renameSync(await compile(compiler, aside), target);
    writeFileSync(join(aside, 'stamp'), digest);
    renameSync(join(aside, 'stamp'), stamp);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  process.stdout.write(`native engine: compiled in ${seconds} s by ${compiler.version}\n`);
}

if (!['linux', 'darwin'].includes(process.platform) || !['x64', 'arm64'].includes(process.arch)) {
  absent(`it is not written for ${process.platform} ${process.arch}`, 'wasm runs on the same processor');
} else {
  const compiler = findCompiler();
  if (compiler === undefined) {
    absent('no C++ compiler was found', `install g++ or clang++ (or set CXX), then run \`${again}\``);
  } else {
    try {
      await build(compiler);
    } catch (error) {
      const lines = error.message.split('\n');
      if (options.check) process.stderr.write(`${error.message}\n`);
      const why = lines.find((line) => /error/i.test(line)) ?? lines[0];
      absent(`${compiler.command}: ${why}`, `see ${failureLog}`, `\n${error.message}\n`);
    }
  }
}
