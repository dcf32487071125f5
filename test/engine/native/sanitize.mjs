/**
 * @file Runs the compiled kernels under a sanitizer; any report on them is a failure. Linux with g++.
 *
 *     node test/engine/native/sanitize.mjs address    all tests of kernels: wrong addresses, undefined behaviour, leaks left out
 *     node test/engine/native/sanitize.mjs thread     the tests of threads: data races
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const compiler = process.env.CXX ?? 'g++';
const reportsFolder = join(root, 'dist', 'native-reports');

const CHECKS = {
  address: {
    // Undefined behaviour ends the process, as a wrong address does.
    flags: '-fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined',
    library: 'libasan.so',
    // What V8 keeps until the process ends is no leak.
    variables: { ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' },
    tests: ['test/engine/native', 'test/engine/kernels'],
  },
  thread: {
    flags: '-fsanitize=thread',
    library: 'libtsan.so',
    // Node.js and the test runner are not built for it and cause reports of their own: only those on the kernels count.
    variables: { TSAN_OPTIONS: `exitcode=0:log_path=${join(reportsFolder, 'thread')}` },
    tests: ['test/engine/native/threads.test.ts'],
  },
};

const name = process.argv[2];
if (!Object.hasOwn(CHECKS, name)) {
  process.stderr.write(`sanitize: expected one of ${Object.keys(CHECKS).join(', ')}, got '${name}'\n`);
  process.exit(2);
}
const { flags, library, variables, tests } = CHECKS[name];
const folder = join(root, 'dist', `native-${name}`);

/** Ends this process when the command fails. */
function run(args, env) {
  const { status, signal } = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, CXX: compiler, ...env },
    stdio: 'inherit',
  });
  if (status === 0) return;
  process.stderr.write(`sanitize: ${args[0]}: expected success, got ${signal ?? `exit code ${status}`}\n`);
  process.exit(1);
}

run(['src/engine/native/build.mjs', '--check', '--out', folder], { CXXFLAGS: `-O1 -g ${flags}` });
rmSync(reportsFolder, { recursive: true, force: true });
mkdirSync(reportsFolder);
const env = {
  ...variables,
  TOKENFUSE_NATIVE: folder,
  LD_PRELOAD: execFileSync(compiler, [`-print-file-name=${library}`], { encoding: 'utf8' }).trim(),
};
// Kernels that do not load are skipped by their tests, which must not count as success.
run(['-e', `require(${JSON.stringify(join(folder, 'tokenfuse.node'))})`], env);
run(['node_modules/vitest/vitest.mjs', 'run', ...tests], env);
const reports = readdirSync(reportsFolder)
  .flatMap((file) => readFileSync(join(reportsFolder, file), 'utf8').split(/^={18}$/m))
  .filter((report) => report.includes('tokenfuse.node') || report.includes('native/cpp'));
for (const report of reports) process.stderr.write(`${report}\n`);
process.stdout.write(`${name} sanitizer: ${reports.length} reports on the kernels\n`);
process.exitCode = reports.length > 0 ? 1 : 0;
