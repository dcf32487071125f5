import sharp from 'sharp';
import { describe, expect, it, vi } from 'vitest';
import { formOf, type HttpClient, sendRaw } from '../../bench/serving/httpClient.js';
import type { Engine } from '../../serving/front/batcher.js';
import { Refusal } from '../../serving/front/refusal.js';
import type { AnyBatch } from '../../serving/works.js';
import { answerOf, greyPicture, SERVED, serveApp } from '../support/servingApp.js';

const PNG = { 'content-type': 'image/png' };
const JSON_BODY = { 'content-type': 'application/json' };

/** An engine that works on nothing until it is told to, and the batches that it has been given. */
function heldEngine() {
  const batches: AnyBatch[] = [];
  let go: () => void = () => {};
  const told = new Promise<void>((resolve) => {
    go = resolve;
  });
  const engine: Engine = {
    run: (batch) => {
      batches.push(batch);
      return told.then(() => answerOf(batch));
    },
  };
  return { engine, batches, go: () => go() };
}

/** The value of a metric without labels. */
const gaugeOf = async (client: HttpClient, name: string): Promise<number> => {
  const { text } = await client.send({ method: 'GET', path: '/metrics' });
  return Number(new RegExp(`^tokenfuse_${name} (\\S+)$`, 'm').exec(text)?.[1]);
};

const errorOf = ({ text }: { text: string }): { code: string; message: string } => {
  expect(text).toMatch(/^\{"error":[^\n]+\}\n$/);
  return JSON.parse(text).error;
};

describe('the routes of a service', () => {
  it('caption a picture that is the body, or in a form', async () => {
    const { client } = await serveApp();
    const body = await greyPicture(77);
    const raw = await client.send({ path: '/v1/caption?image-id=5', headers: PNG, body });
    expect(JSON.parse(raw.text).caption).toBe('level 77 id 5');
    const form = formOf([{ name: 'a.png', bytes: body }], { 'image-id': '6', decoding: 'greedy' });
    const inForm = await client.send({ path: '/v1/caption', ...form });
    expect(JSON.parse(inForm.text)).toEqual({
      caption: 'level 77 id 6',
      candidates: [{ caption: 'level 77 id 6', logProb: -1, numTokens: 2, ended: true }],
    });
    expect(inForm.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it('caption several pictures in their order, and say which cannot be read', async () => {
    const { client } = await serveApp();
    const files = [
      { name: 'a.png', bytes: await greyPicture(1) },
      { name: 'notes.txt', bytes: Buffer.from('text') },
      { name: 'b.png', bytes: await greyPicture(2) },
    ];
    const { status, text } = await client.send({ path: '/v1/captions', ...formOf(files) });
    expect(status).toBe(200);
    expect(JSON.parse(text).results).toMatchObject([
      { name: 'a.png', caption: 'level 1 id 1' },
      { name: 'notes.txt', error: { code: 'invalid_picture', message: 'unsupported image format' } },
      { name: 'b.png', caption: 'level 2 id 3' },
    ]);
  });

  it('score captions, embed pictures, continue texts', async () => {
    const { client } = await serveApp();
    const body = await greyPicture(9);
    const scores = await client.send({ path: '/v1/score?caption=a%20b&caption=c', headers: PNG, body });
    expect(JSON.parse(scores.text).scores).toMatchObject([
      { caption: 'a b', captionNll: 1 },
      { caption: 'c', logProb: -3 },
    ]);
    const embedding = await client.send({ path: '/v1/embed', headers: PNG, body });
    expect(JSON.parse(embedding.text)).toEqual({ width: 2, embedding: [9, 0.5] });
    const prompt = JSON.stringify({ prompt: 'a "small"', 'max-tokens': 5, 'stop-tokens': ['.'] });
    const text = await client.send({ path: '/v1/generate', headers: JSON_BODY, body: prompt });
    expect(JSON.parse(text.text).text).toBe('a "small"!');
  });

  it('refuse what the model cannot do, in one line', async () => {
    const { client } = await serveApp({}, undefined, {
      ...SERVED,
      kind: 'language',
      works: ['generate'],
      pictures: null,
    });
    const answer = await client.send({ path: '/v1/caption', headers: PNG, body: await greyPicture(1) });
    expect(answer.status).toBe(422);
    expect(errorOf(answer)).toEqual({
      code: 'not_supported',
      message: 'a language model cannot caption; it can generate',
    });
  });
});

describe('a service refuses', () => {
  it('what is not a request of it, by stable codes', async () => {
    const { client } = await serveApp({ maxPictures: 2, maxBodyBytes: 5000, maxImagePixels: 100 });
    const picture = await greyPicture(1);
    const one = { name: 'a.png', bytes: picture };
    const noise = await sharp({
      create: { width: 11, height: 10, channels: 3, background: 'red' },
    })
      .jpeg()
      .toBuffer();
    const [caption, generate] = ['/v1/caption', '/v1/generate'];
    const refused: [string, number, Parameters<typeof client.send>[0]][] = [
      ['not_found', 404, { method: 'GET', path: '/v2' }],
      ['method_not_allowed', 405, { method: 'GET', path: caption }],
      ['unsupported_media_type', 415, { path: caption, headers: JSON_BODY, body: '{}' }],
      ['unsupported_media_type', 415, { path: caption, headers: {}, body: picture }],
      ['unsupported_media_type', 415, { path: '/v1/captions', headers: PNG, body: picture }],
      ['bad_request', 400, { path: caption, headers: { 'content-type': 'multipart/form-data' }, body: 'x' }],
      ['unsupported_media_type', 415, { path: generate, headers: PNG, body: picture }],
      ['invalid_picture', 422, { path: caption, headers: PNG, body: '' }],
      ['invalid_picture', 422, { path: caption, headers: PNG, body: '<svg xmlns="http://www.w3.org/2000/svg"/>' }],
      ['invalid_picture', 422, { path: caption, headers: PNG, body: picture.subarray(0, 60) }],
      ['invalid_picture', 422, { path: caption, headers: PNG, body: noise }],
      ['invalid_field', 400, { path: `${caption}?widht=3`, headers: PNG, body: picture }],
      ['invalid_field', 400, { path: `${caption}?temperature=x`, headers: PNG, body: picture }],
      ['invalid_field', 400, { path: `${caption}?image-id=-1`, headers: PNG, body: picture }],
      ['invalid_field', 400, { path: '/v1/score', headers: PNG, body: picture }],
      ['invalid_field', 400, { path: caption, ...formOf([]) }],
      ['invalid_field', 400, { path: generate, headers: JSON_BODY, body: '{"prompt":{"a":1}}' }],
      ['bad_request', 400, { path: generate, headers: JSON_BODY, body: '{"prompt":' }],
      ['bad_request', 400, { path: generate, headers: JSON_BODY, body: '[]' }],
      ['bad_request', 400, { path: generate, headers: JSON_BODY, body: '{"__proto__":{}}' }],
      ['too_large', 413, { path: caption, headers: PNG, body: Buffer.alloc(5001) }],
      ['too_large', 413, { path: '/v1/captions', ...formOf([one, one, one]) }],
      ['too_large', 413, { path: '/v1/captions', ...formOf([{ name: 'a', bytes: Buffer.alloc(5001) }]) }],
      ['too_large', 413, { path: generate, headers: JSON_BODY, body: JSON.stringify({ prompt: 'a'.repeat(70_000) }) }],
    ];
    for (const [code, status, request] of refused) {
      const answer = await client.send(request);
      expect({ status: answer.status, code: errorOf(answer).code }, JSON.stringify(request).slice(0, 150)).toEqual({
        status,
        code,
      });
    }
  });

  it('broken forms', async () => {
    const { client } = await serveApp();
    const { headers, body } = formOf([{ name: 'a.png', bytes: await greyPicture(1) }], { seed: '1' });
    for (const length of [0, 1, 30, 80, 150, body.length - 10]) {
      const answer = await client.send({ path: '/v1/caption', headers, body: body.subarray(0, length) });
      expect([400, 422], `${length} bytes`).toContain(answer.status);
      errorOf(answer);
    }
  });

  it('whoever has no token, or comes from a page of another site', async () => {
    const token = 'a-token-of-this-test';
    const { client, url } = await serveApp({ token });
    const get = (headers: Record<string, string>, path = '/v1/model') => client.send({ method: 'GET', path, headers });
    const own = { authorization: `Bearer ${token}` };
    expect((await get(own)).status).toBe(200);
    expect(await get({})).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
    expect((await get({ authorization: `Bearer ${token}x` })).status).toBe(401);
    expect((await get({}, '/metrics')).status).toBe(401);
    expect((await get({}, '/health/ready')).status).toBe(200);
    expect((await get({ ...own, origin: 'http://evil.example' })).status).toBe(403);
    expect((await get({ ...own, origin: url })).status).toBe(200);

    const open = await serveApp();
    const rebound = await open.client.send({ method: 'GET', path: '/v1/model', headers: { host: 'evil.example' } });
    expect([rebound.status, errorOf(rebound).code]).toEqual([403, 'forbidden']);
  });

  it('more than a rate of requests, with the time to wait', async () => {
    const { client } = await serveApp({ rate: 3 });
    const answers = [];
    for (let i = 0; i < 6; i++) answers.push(await client.send({ method: 'GET', path: '/v1/model' }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429, 429]);
    expect(errorOf(answers[5]).code).toBe('too_many_requests');
    expect(answers[5].headers['retry-after']).toBe('1');
    expect((await client.send({ method: 'GET', path: '/nothing' })).status).toBe(429);
    expect((await client.send({ method: 'GET', path: '/health/live' })).status).toBe(200);
  });

  it('more than its queue holds, and takes more when there is room', async () => {
    const { engine, go } = heldEngine();
    const { client, url } = await serveApp({ maxQueue: 2 }, engine);
    const picture = await greyPicture(3);
    const waiting = [1, 2].map(() =>
      fetch(`${url}/v1/caption`, { method: 'POST', headers: PNG, body: new Uint8Array(picture) }),
    );
    await vi.waitUntil(async () => (await gaugeOf(client, 'queue_length')) === 2);
    const answer = await client.send({ path: '/v1/caption', headers: PNG, body: picture });
    expect([answer.status, errorOf(answer).code, answer.headers['retry-after']]).toEqual([503, 'overloaded', '1']);
    // Health is answered meanwhile.
    expect((await client.send({ method: 'GET', path: '/health/ready' })).status).toBe(200);
    go();
    for (const response of await Promise.all(waiting)) expect(response.status).toBe(200);
    expect((await client.send({ path: '/v1/caption', headers: PNG, body: picture })).status).toBe(200);
  });

  it('what takes too long: the engine, a body, a header', async () => {
    const { engine } = heldEngine();
    const { client, url, lines } = await serveApp({ timeoutMs: 400 }, engine);
    const answer = await client.send({ path: '/v1/caption', headers: PNG, body: await greyPicture(1) });
    expect([answer.status, errorOf(answer).code]).toEqual([503, 'timed_out']);
    const head = 'POST /v1/caption HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\n';
    const body = await sendRaw(url, [`${head}content-length: 1000\r\n\r\n`, ...Array(100).fill('x')], 50);
    expect(body).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
    const header = await sendRaw(url, [head, ...Array(100).fill('a: b\r\n')], 50);
    expect(header).toMatch(/^HTTP\/1\.1 408 /);
    expect(lines.map((line) => JSON.parse(line).code)).toEqual(['timed_out', 'request_timeout', 'request_timeout']);
  });

  it('what is no HTTP', async () => {
    const { url } = await serveApp();
    expect(await sendRaw(url, ['\x16\x03\x01\x02\x00\x01\r\n\r\n'])).toMatch(/^HTTP\/1\.1 400 [\s\S]*"bad_request"/);
    expect(await sendRaw(url, [`GET / HTTP/1.1\r\nhost: localhost\r\na: ${'b'.repeat(9000)}\r\n\r\n`])).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  it('more bytes than it holds at once', async () => {
    const { engine, go } = heldEngine();
    const { client, url } = await serveApp({ maxHeldBytes: 400 }, engine);
    const body = await greyPicture(3, 30);
    expect(body.length).toBeGreaterThan(80);
    expect(body.length).toBeLessThan(200);
    const filled = Buffer.concat([body, Buffer.alloc(390 - body.length)]);
    const first = fetch(`${url}/v1/caption`, { method: 'POST', headers: PNG, body: new Uint8Array(filled) });
    await vi.waitUntil(async () => (await gaugeOf(client, 'held_bytes')) === 390);
    const answer = await client.send({ path: '/v1/caption', headers: PNG, body });
    expect([answer.status, errorOf(answer).code]).toEqual([503, 'overloaded']);
    go();
    expect((await first).status).toBe(200);
    expect((await client.send({ path: '/v1/caption', headers: PNG, body })).status).toBe(200);
  });
});

describe('a service', () => {
  it('tells failures of its engine, and nothing of them', async () => {
    const engine: Engine = { run: () => Promise.reject(new Refusal('failed', 'the engine failed')) };
    const { client } = await serveApp({}, engine);
    const answer = await client.send({ path: '/v1/embed', headers: PNG, body: await greyPicture(1) });
    expect([answer.status, errorOf(answer)]).toEqual([500, { code: 'failed', message: 'the engine failed' }]);
  });

  it('logs what came, and nothing of its content', async () => {
    const { client, lines } = await serveApp();
    const body = await greyPicture(1);
    await client.send({ path: '/v1/score?caption=my%20secret', headers: PNG, body });
    await client.send({ path: '/v1/secret', headers: PNG, body });
    await client.send({ path: '/v1/captions', ...formOf([{ name: 'secret.png', bytes: Buffer.from('secret') }]) });
    await client.send({ path: '/v1/caption', headers: PNG, body, breakOffAt: 5 });
    await vi.waitUntil(() => lines.length === 4);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { route: '/v1/score', status: 200, code: 'ok', pictures: 1, client: '127.0.0.1', method: 'POST' },
      { route: 'none', status: 404, code: 'not_found' },
      { route: '/v1/captions', status: 200, code: 'ok', pictures: 1 },
      { route: '/v1/caption', status: 0, code: 'client_gone', pictures: 0 },
    ]);
    expect(lines.join()).not.toContain('secret');
  });

  it('lets what is in flight end when it closes, and takes no more', async () => {
    const { engine, batches, go } = heldEngine();
    const { app, client, url } = await serveApp({}, engine);
    await client.send({ method: 'GET', path: '/health/live' });
    const picture = await greyPicture(200);
    const inFlight = fetch(`${url}/v1/caption`, { method: 'POST', headers: PNG, body: new Uint8Array(picture) });
    await vi.waitUntil(() => batches.length === 1);
    const closed = app.close(10_000);
    await expect(fetch(`${url}/health/ready`)).rejects.toThrow('fetch failed');
    go();
    expect(((await (await inFlight).json()) as { caption: string }).caption).toBe('level 200 id 1');
    await closed;
    expect(app.counts()).toEqual({ answered: 2, refused: 0 });
  });

  it('breaks off what has not ended in time when it closes', async () => {
    const { engine, batches } = heldEngine();
    const { app, client } = await serveApp({}, engine);
    const waiting = client.send({ path: '/v1/caption', headers: PNG, body: await greyPicture(1) });
    await vi.waitUntil(() => batches.length === 1);
    await app.close(50);
    expect((await waiting).status).toBe(0);
    expect(app.counts()).toEqual({ answered: 0, refused: 1 });
  });

  it('forgets the pictures of clients that are gone', async () => {
    const { engine, batches, go } = heldEngine();
    const { app, url, client, lines } = await serveApp({}, engine);
    const picture = await greyPicture(1);
    const gone = new AbortController();
    const requests = [1, 2, 3].map(() =>
      fetch(`${url}/v1/embed`, { method: 'POST', headers: PNG, body: new Uint8Array(picture), signal: gone.signal }),
    );
    await vi.waitUntil(() => batches.length > 0);
    gone.abort();
    await Promise.allSettled(requests);
    await vi.waitUntil(() => app.counts().refused === 3);
    go();
    await vi.waitUntil(async () => (await gaugeOf(client, 'queue_length')) === 0);
    expect(await gaugeOf(client, 'held_bytes')).toBe(0);
    expect(lines.filter((line) => line.includes('client_gone'))).toHaveLength(3);
  });
});
