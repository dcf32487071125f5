import { beforeAll, describe } from 'vitest';
import { ENGINE_NAMES, type EngineName, selectEngine } from '#src/engine';
import { native } from '../../src/engine/native/index.js';

/** webgpu runs only when asked for, since without a GPU it is emulated and a hundred times slower. */
const withWebgpu = process.env.TOKENFUSE_TEST_WEBGPU === '1';
const withNative = (await native.probe()).available;

/**
 * One suite for every engine that can be tested here: wasm and cpu always, native when it is built, webgpu (a software
 * adapter will do) under TOKENFUSE_TEST_WEBGPU=1, where its absence is a failure.
 */
export function describeEachEngine(name: string, suite: (engine: EngineName) => void): void {
  for (const engine of ENGINE_NAMES) {
    if (engine === 'tensorflow' || (engine === 'webgpu' && !withWebgpu) || (engine === 'native' && !withNative))
      continue;
    describe(`${name} on ${engine}`, () => {
      beforeAll(async () => {
        await selectEngine(engine, { allowSoftwareAdapter: true });
      });
      suite(engine);
    });
  }
}
