/**
 * @file Packs what a machine with a card, and with no network and no Node, needs for check.sh: dist-gpu/tokenfuse-gpu.tar, in it
 * node.xz (this machine's, stripped) and project.tar.xz (built project with addon, packages, bench/gpu, sources of kernels, fixtures).
 * The packed Node is kept in node_modules/.cache, since packing it takes minutes.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import os from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The archive must fit into what can be carried to the machine. */
const MAX_BYTES = 40 * 2 ** 20;

/** Packages of which only the files that match are taken; of the others all code. */
const ONLY = {
  '@tensorflow/tfjs-core': /^dist\/tf-core\.node\.js$/,
  '@tensorflow/tfjs-backend-cpu': /^dist\/tf-backend-cpu\.node\.js$/,
  '@tensorflow/tfjs-backend-wasm': /^dist\/(tf-backend-wasm\.node\.js|tfjs-backend-wasm.*\.wasm)$/,
  tiktoken: /^lite\/|^init|^[^/]*\.json$/,
};
const LEFT_OUT = new Set(['@tensorflow/tfjs-node-gpu', '@swc/wasm-typescript', 'node-api-headers']);
const CODE = /\.(c?js|mjs|json|wasm|node)$|\.so(\.[\d.]+)?$/;
const NOT_CODE = /(^|\/)(test|tests|node_modules)\/|\.min\.|\.d\.[cm]?ts$/;

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const out = join(root, 'dist-gpu');
const started = performance.now();

const stage = mkdtempSync(join(os.tmpdir(), 'tokenfuse-bundle-'));
try {
  mkdirSync(out, { recursive: true });
  const project = join(stage, 'tokenfuse');
  for (const folder of readdirSync(join(root, 'dist')).sort()) {
    if (folder === 'docs' || !statSync(join(root, 'dist', folder)).isDirectory()) continue;
    take(join('dist', folder), (path) => /\.(c?js|json|node|wasm|cu|cuh|py|sh|so(\.\d+)*)$/.test(path));
  }
  take('src/engine/cuda/source', () => true);
  take('bench/gpu', () => true);
  take('bench/peers', (path) => path.endsWith('.py'));
  take('test/fixtures/tokenformer', () => true);
  take('experiments', (path) => path.endsWith('.yaml'));
  takeFile('package.json');
  const official = join(process.env.TOKENFUSE_SHARED ?? join(root, '../shared'), 'fixtures/official');
  if (existsSync(official)) cpSync(official, join(stage, 'shared/fixtures/official'), { recursive: true });
  for (const name of packageNames()) takePackage(name);
  execFileSync('chmod', ['-R', 'u+w', stage]);

  const packed = join(stage, 'project.tar.xz');
  const names = existsSync(join(stage, 'shared')) ? ['tokenfuse', 'shared'] : ['tokenfuse'];
  const tar = [
    '--sort=name',
    '--mtime=2000-01-01',
    '--owner=0',
    '--group=0',
    '-I',
    'xz -T0 -3',
    '-cf',
    packed,
    ...names,
  ];
  execFileSync('tar', tar, { cwd: stage, stdio: 'inherit' });
  copyFileSync(packedNode(), join(stage, 'node.xz'));
  copyFileSync(join(root, 'bench/gpu/check.sh'), join(stage, 'check.sh'));
  const target = join(out, 'tokenfuse-gpu.tar');
  execFileSync('tar', ['-cf', `${target}.part`, 'check.sh', 'node.xz', 'project.tar.xz'], { cwd: stage });
  renameSync(`${target}.part`, target);
  const { size } = statSync(target);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
  process.stdout.write(
    `${relative(process.cwd(), target)}: ${mebibytes(size)} MiB (node ${mebibytes(statSync(join(stage, 'node.xz')).size)}, ` +
      `project ${mebibytes(statSync(packed).size)}), ${seconds} s\n`,
  );
  if (size > MAX_BYTES) {
    process.stderr.write(`bundle: expected at most ${mebibytes(MAX_BYTES)} MiB, got ${mebibytes(size)}\n`);
    process.exitCode = 1;
  }

  function take(folder, wanted) {
    for (const path of filesIn(join(root, folder))) {
      if (wanted(path)) takeFile(join(folder, path));
    }
  }

  function takeFile(path) {
    const to = join(project, path);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(join(root, path), to);
  }

  function takePackage(name) {
    const folder = realpathSync(join(root, 'node_modules', name));
    for (const path of filesIn(folder)) {
      const only = ONLY[name];
      const wanted = path === 'package.json' || (only ? only.test(path) : CODE.test(path) && !NOT_CODE.test(path));
      if (!wanted) continue;
      const to = join(project, 'node_modules', name, path);
      mkdirSync(dirname(to), { recursive: true });
      copyFileSync(join(folder, path), to);
    }
  }

  /** The dependencies of this package and theirs. */
  function packageNames() {
    const names = new Set();
    const visit = (name, from) => {
      if (names.has(name) || LEFT_OUT.has(name)) return;
      const places = [join(from, 'node_modules', name), join(root, 'node_modules', name)];
      const place = places.find((path) => existsSync(join(path, 'package.json')));
      if (place === undefined) return;
      names.add(name);
      const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
        readFileSync(join(place, 'package.json'), 'utf8'),
      );
      for (const dependency of Object.keys({ ...dependencies, ...optionalDependencies })) visit(dependency, place);
    };
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) visit(name, root);
    return [...names].filter((name) => existsSync(join(root, 'node_modules', name)));
  }
} finally {
  rmSync(stage, { recursive: true, force: true });
}

/** Paths of files in a folder and its folders, from there. */
function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** This process's Node without symbols, packed; made once for each version. */
function packedNode() {
  const folder = join(root, 'node_modules/.cache/tokenfuse-gpu');
  const path = join(folder, `node-${process.version}-${process.arch}.xz`);
  if (existsSync(path)) return path;
  process.stdout.write('packing Node, once: some minutes\n');
  mkdirSync(folder, { recursive: true });
  const node = join(folder, 'node');
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  execFileSync('strip', [node]);
  execFileSync('sh', ['-c', `xz -T0 -6 -c '${node}' > '${path}.part'`]);
  renameSync(`${path}.part`, path);
  rmSync(node);
  return path;
}
