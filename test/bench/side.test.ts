import { afterEach, describe, expect, it } from 'vitest';
import { type Side, type SideSpec, startSide } from '../../bench/side.js';

const REQUEST = { workload: { kind: 'step', folder: 'x' }, minSeconds: 0 } as const;

function spec(program: string): SideSpec {
  return { name: 'pytorch', command: process.execPath, args: ['-e', program], env: { MARK: 'set' } };
}

describe('a side of a comparison', () => {
  let side: Side | undefined;
  afterEach(() => side?.close());

  it('answers one line a request, in its own environment', async () => {
    const program = `console.log(JSON.stringify({ versions: { mark: process.env.MARK } }));
      require('readline').createInterface({ input: process.stdin })
        .on('line', (line) => console.log(JSON.stringify({ seconds: JSON.parse(line).minSeconds + 1 })));`;
    side = await startSide(spec(program));
    expect(side.hello).toEqual({ versions: { mark: 'set' } });
    expect(await side.measure(REQUEST)).toEqual({ seconds: 1 });
    expect(await side.measure(REQUEST)).toEqual({ seconds: 1 });
  });

  it('that dies says why, in the middle of a request too', async () => {
    await expect(startSide(spec("throw new Error('no such BLAS')"))).rejects.toThrow('no such BLAS');
    const program = `console.log('{"versions":{}}'); process.stdin.once('data', () => { throw new Error('too large'); })`;
    side = await startSide(spec(program));
    await expect(side.measure(REQUEST)).rejects.toThrow('pytorch ended with exit code 1: Error: too large');
  });

  it('that cannot be started is an error of one line', async () => {
    await expect(startSide({ ...spec(''), command: '/no/such/program' })).rejects.toThrow('cannot start pytorch');
  });
});
