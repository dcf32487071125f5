import { beforeAll, describe } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import type { WebgpuBackend } from '../../../src/engine/webgpu/backend.js';

/** A suite on the webgpu engine, under TOKENFUSE_TEST_WEBGPU=1 alone, as in `describeEachEngine`. */
export function describeWebgpu(name: string, suite: () => void): void {
  describe.skipIf(process.env.TOKENFUSE_TEST_WEBGPU !== '1')(`${name} on webgpu`, () => {
    beforeAll(async () => {
      await selectEngine('webgpu', { allowSoftwareAdapter: true });
    });
    suite();
  });
}

export function webgpuBackend(): WebgpuBackend {
  return tf.backend() as unknown as WebgpuBackend;
}
