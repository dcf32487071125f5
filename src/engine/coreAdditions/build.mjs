/**
 * @file Bundles additions.mjs to dist/src/engine/coreAdditions/additions.cjs; part of `npm run build`.
 *
 * The package `@tensorflow/tfjs` would bring it, but also 240 MB of other packages; and Node cannot load these modules of
 * tfjs-core themselves, whose imports have no file extensions.
 */
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, '..', '..', '..', 'dist', 'src', 'engine', 'coreAdditions', 'additions.cjs');
const aside = `${target}.${process.pid}.partial`;
mkdirSync(dirname(target), { recursive: true });
// The bundle has copies of operations; all work on one engine, which TensorFlow.js keeps in a global variable.
await build({ input: join(here, 'additions.mjs'), output: { file: aside, format: 'cjs' } });
renameSync(aside, target);
