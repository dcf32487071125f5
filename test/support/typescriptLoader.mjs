/**
 * @file Lets plain Node run this repository's TypeScript in a process of its own, from source:
 * `node --conditions=development --import ./test/support/typescriptLoader.mjs file.ts`.
 */
import { register } from 'node:module';

register('./typescriptHooks.mjs', import.meta.url);
