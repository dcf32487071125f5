import { beforeAll, describe } from 'vitest';
import { ENGINE_NAMES, type EngineName, selectEngine } from '#src/engine';
import { native } from '../../src/engine/native/index.js';
import { COMPILED_WITHIN, startCard, wantsCard } from './cuda/card.js';

/** webgpu runs only when asked for, since without a GPU it is emulated and a hundred times slower. */
const withWebgpu = process.env.TOKENFUSE_TEST_WEBGPU === '1';
const withNative = (await native.probe()).available;

/** tensorflow is an optional package with a library of its own. */
const withTensorflow = process.env.TOKENFUSE_TEST_TENSORFLOW === '1';

const absent: readonly EngineName[] = [
  ...(withTensorflow ? [] : ['tensorflow' as const]),
  ...(wantsCard ? [] : ['cuda' as const]),
  ...(withWebgpu ? [] : ['webgpu' as const]),
  ...(withNative ? [] : ['native' as const]),
];

/**
 * One suite for every engine that can be tested here: wasm and cpu always, native when it is built, webgpu (a software
 * adapter will do) under TOKENFUSE_TEST_WEBGPU=1, tensorflow under TOKENFUSE_TEST_TENSORFLOW=1 and cuda under TOKENFUSE_TEST_CUDA=1 (a card) or =emulated, where its absence
 * is a failure.
 */
export function describeEachEngine(name: string, suite: (engine: EngineName) => void): void {
  for (const engine of ENGINE_NAMES.filter((each) => !absent.includes(each))) {
    describe(`${name} on ${engine}`, () => {
      beforeAll(async () => {
        if (engine === 'cuda') await startCard();
        else await selectEngine(engine, { allowSoftwareAdapter: true });
      }, COMPILED_WITHIN);
      suite(engine);
    });
  }
}
