import { expect, it } from 'vitest';
import { runInChild } from '../../src/engine/shared/childProbe.js';

it('reads the last line that the child prints, whatever it prints before', async () => {
  const source = "console.log('noise'); console.log(JSON.stringify({ given: process.argv[1] }));";
  expect(await runInChild(source, 'an argument')).toEqual({ value: { given: 'an argument' } });
});

it('survives a child that crashes', async () => {
  expect(await runInChild('process.abort()', '')).toMatchObject({ failure: 'ended with SIGABRT' });
});

it('names the error that ends a child', async () => {
  expect(await runInChild("throw new TypeError('no such driver')", '')).toMatchObject({
    failure: 'TypeError: no such driver',
  });
});

it('gives up on a child that hangs', async () => {
  expect(await runInChild('setInterval(() => {}, 1000)', '', 500)).toMatchObject({
    failure: 'ended with no answer within 0.5 s',
  });
});

it('does not take silence for an answer', async () => {
  expect(await runInChild('', '')).toMatchObject({ failure: 'ended without an answer' });
});
