import { expect, it } from 'vitest';
import { loadFailure } from '../../src/engine/tensorflow/index.js';

it.each([
  ['Error: libcudart.so.11.0: cannot open shared object file: No such file or directory', /^install CUDA 11\.2/],
  ['ended with SIGILL', /^install CUDA 11\.2/],
  [
    'Error: The Node.js native addon module (tfjs_binding.node) can not be found at path: /x/tfjs_binding.node',
    /^run npm rebuild @tensorflow\/tfjs-node-gpu/,
  ],
  ['Error: libtensorflow.so.2: cannot open shared object file', /^run npm rebuild @tensorflow\/tfjs-node-gpu/],
])('what is installed and fails by %j is not to be installed again', (failure, advice) => {
  const { why, install } = loadFailure(failure, '@tensorflow/tfjs-node-gpu');
  expect(why).toBe(`@tensorflow/tfjs-node-gpu is installed and does not load: ${failure}`);
  expect(install).toMatch(advice);
  expect(install).not.toContain('npm install');
});
