import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import {
  decodeAnswer,
  encodeRequest,
  groupPaths,
  type HeldGroups,
  holdGroups,
  type ServeOptions,
  serveGroups,
} from '#src/remote';
import { randomValues } from '../support/randomValues.js';
import { tinyLanguageTree } from '../support/tinyLanguageModel.js';

const TOKEN = 'a-secret-of-this-test';

let held: HeldGroups;
beforeAll(async () => {
  await selectEngine('cpu');
  const tree = tinyLanguageTree();
  held = await holdGroups(tree, groupPaths(tree.names()));
});

async function serve(options: Partial<ServeOptions> = {}, groups = held) {
  const server = await serveGroups(groups, { host: '127.0.0.1', port: 0, ...options });
  onTestFinished(() => server.close(0));
  const session = connect(server.url);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return { server, session };
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

function ask(
  session: ClientHttp2Session,
  body: Uint8Array | undefined,
  { path = body ? '/v1/sums' : '/v1/groups', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const stream = session.request({ ':method': body ? 'POST' : 'GET', ':path': path, ...headers });
  return new Promise((resolve, reject) => {
    let status = 0;
    const chunks: Buffer[] = [];
    stream.once('response', (found) => {
      status = Number(found[':status']);
    });
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.once('error', reject);
    stream.once('close', () =>
      status > 0 ? resolve({ status, body: Buffer.concat(chunks) }) : reject(new Error('closed')),
    );
    stream.end(body);
  });
}

/** One sum of a row over the first group. */
function oneSum(rows = 1): Uint8Array {
  return encodeRequest({
    math: { normActivation: 'l2NormGelu', gelu: 'erf', normEpsilon: 1e-5 },
    inputs: [{ rows, width: 8, values: randomValues(rows * 8, 'served') }],
    sums: [{ input: 0, groups: [{ index: 0, linear: false }] }],
  });
}

describe('a server of parameters', () => {
  it('answers, and lists its groups by their SHA-256', async () => {
    const { session, server } = await serve();
    const list = JSON.parse(String((await ask(session, undefined)).body)) as { groups: { sha256: string }[] };
    expect(list.groups).toHaveLength(10);
    expect(list.groups[0].sha256).toMatch(/^[0-9a-f]{64}$/);
    const { status, body } = await ask(session, oneSum(3));
    expect(status).toBe(200);
    const [{ rows, width, values }] = decodeAnswer(body);
    expect([rows, width]).toEqual([3, 8]);
    expect(values.some((value) => value !== 0)).toBe(true);
    expect(server.counts()).toMatchObject({ answered: 1, refused: 0 });
  });

  it('answers nobody without its token', async () => {
    const { session } = await serve({ token: TOKEN });
    for (const authorization of ['', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, TOKEN]) {
      const headers = authorization === '' ? undefined : { authorization };
      expect((await ask(session, undefined, { headers })).status).toBe(401);
      expect((await ask(session, oneSum(), { headers })).status).toBe(401);
    }
    expect((await ask(session, oneSum(), { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
  });

  it('refuses bodies that are no request in one line and goes on', async () => {
    const { session, server } = await serve();
    const good = oneSum();
    const wrong = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) }).map(({ at, byte }) => {
        const bytes = Uint8Array.from(good);
        bytes[at] = byte;
        return bytes;
      }),
    );
    await fc.assert(
      fc.asyncProperty(wrong, async (bytes) => {
        const { status, body } = await ask(session, bytes);
        expect([200, 400]).toContain(status);
        if (status === 400) expect(String(body)).toMatch(/^[^\n]{10,200}$/);
      }),
      { numRuns: 150 },
    );
    expect((await ask(session, good)).status).toBe(200);
    expect((await ask(session, good, { path: '/v1/other' })).status).toBe(404);
    const before = tf.memory().numTensors;
    await ask(session, oneSum(4));
    expect(tf.memory().numTensors).toBe(before);
    expect(server.counts().refused).toBeGreaterThan(50);
  });

  it.each([
    [{ index: 10, linear: false }, 'expected one of 10 groups, got 10'],
    [{ index: 0, linear: false }, 'block0/attention/query/language: expected 8 numbers in and 8 out, got 4 and 8'],
  ])('refuses groups that it lacks, and other widths', async (group, line) => {
    const { session } = await serve();
    const request = {
      math: { normActivation: 'l2NormGelu', gelu: 'erf' as const, normEpsilon: 1e-5 },
      inputs: [{ rows: 1, width: 4, values: new Float32Array(4) }],
      sums: [{ input: 0, groups: [group] }],
    };
    const { status, body } = await ask(session, encodeRequest(request));
    expect([status, String(body)]).toEqual([400, line]);
  });

  it('refuses a body that is or becomes too large, without keeping it', async () => {
    const { session } = await serve({ limits: { maxFrameBytes: 1000 } });
    const announced = session.request({ ':method': 'POST', ':path': '/v1/sums', 'content-length': '1000000000' });
    const [headers] = await once(announced, 'response');
    expect(headers[':status']).toBe(413);
    expect((await ask(session, new Uint8Array(5000))).status).toBe(413);
    expect((await ask(session, oneSum())).status).toBe(200);
  });

  it('keeps no more of all requests at once than it may', async () => {
    const { session, server } = await serve({ limits: { maxHeldBytes: 4000 } });
    const open = Array.from({ length: 3 }, () => {
      const stream = session.request({ ':method': 'POST', ':path': '/v1/sums' });
      stream.on('error', () => {});
      stream.write(Buffer.alloc(1200));
      return stream;
    });
    await sleep(100);
    expect((await ask(session, new Uint8Array(1200))).status).toBe(503);
    for (const stream of open) stream.close();
    await sleep(100);
    expect((await ask(session, oneSum())).status).toBe(200);
    expect(server.counts().answered).toBe(1);
  });

  it('gives up on a sender that is too slow, and on a connection that says nothing', async () => {
    const { session, server } = await serve({ limits: { transferMs: 100, idleMs: 300 } });
    const slow = session.request({ ':method': 'POST', ':path': '/v1/sums' });
    slow.on('error', () => {});
    const drip = setInterval(() => slow.write(Buffer.alloc(1)), 20);
    await once(slow, 'close');
    clearInterval(drip);
    const silent = connectTcp(Number(new URL(server.url).port), '127.0.0.1');
    silent.on('error', () => {});
    silent.resume();
    await once(silent, 'close');
  });

  it('survives garbage, and more connections than it takes', async () => {
    const { server } = await serve({ limits: { maxConnections: 8 } });
    const port = Number(new URL(server.url).port);
    const sockets = Array.from({ length: 50 }, (_, i) => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      if (i % 2 === 0) socket.write(Buffer.from(randomValues(400, 'garbage', i).buffer));
      return socket;
    });
    await sleep(300);
    expect(sockets.filter(({ readyState }) => readyState === 'open').length).toBeLessThanOrEqual(8);
    for (const socket of sockets) socket.destroy();
    await sleep(100);
    const after = connect(server.url);
    onTestFinished(() => after.destroy());
    expect((await ask(after, oneSum())).status).toBe(200);
  });

  it('closes after the requests that have come are answered', async () => {
    let release: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: HeldGroups = {
      groups: held.groups,
      sums: async (request) => {
        await waiting;
        return held.sums(request);
      },
    };
    const { session, server } = await serve({}, slow);
    const answer = ask(session, oneSum());
    await sleep(100);
    const closed = server.close(5000);
    await expect(
      ask(
        connect(server.url).on('error', () => {}),
        oneSum(),
      ),
    ).rejects.toThrow();
    release();
    expect((await answer).status).toBe(200);
    await closed;
  });

  it('does not wait for ever for them', async () => {
    const never: HeldGroups = { groups: held.groups, sums: () => new Promise(() => {}) };
    const { session, server } = await serve({}, never);
    const answer = ask(session, oneSum()).then(
      () => 'answered',
      () => 'closed',
    );
    await sleep(100);
    await server.close(200);
    expect(await answer).toBe('closed');
  });

  it('says of a failure of its own that it is one', async () => {
    const failures: unknown[] = [];
    const broken: HeldGroups = { groups: held.groups, sums: () => Promise.reject(new Error('no memory')) };
    const { session } = await serve({ onFailure: (error) => failures.push(error) }, broken);
    const { status, body } = await ask(session, oneSum());
    expect(status).toBe(500);
    expect(String(body)).not.toContain('no memory');
    expect(String(failures[0])).toContain('no memory');
  });
});
