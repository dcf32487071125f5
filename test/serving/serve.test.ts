import { once } from 'node:events';
import { createServer } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine } from '#src/engine';
import { createHttpClient } from '../../bench/serving/httpClient.js';
import { metricOf, serveLoad } from '../../bench/serving/serveLoad.js';
import { startServer } from '../support/startedServer.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { SERVICE_TOKENS, SERVICE_TOKEN as token, writeTinyService } from '../support/tinyService.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

const QUERY = `?max-tokens=${SERVICE_TOKENS}`;

const PNG = { 'content-type': 'image/png' };

describe('tokenfuse serve', () => {
  it('loses and mixes up nothing under load, one in ten requests broken or hostile, and its memory stays', async () => {
    const folder = temporaryFolder();
    const pictures = await writeTinyService(folder);
    expect(new Set(pictures.map(({ caption }) => caption)).size).toBeGreaterThan(2);
    const limits = ['--rate', '0', '--timeout', '5', '--max-megabytes', '1'];
    const server = await startServer(folder, [
      'serve',
      'merged',
      '--engine',
      'cpu',
      '--token-file',
      'token',
      ...limits,
    ]);
    const load = (requests: number) =>
      serveLoad({
        ...{
          url: server.url,
          token,
          maxBodyBytes: 2 ** 20,
          pictures,
          query: QUERY,
          clients: 16,
          perRequest: 1,
          requests,
        },
        ...{ hostileEvery: 10, seed: requests },
      });
    expect((await load(20)).problems).toEqual([]);
    const tensors = await metricOf(server.url, token, 'tokenfuse_engine_tensors');
    const { problems, answered, hostile } = await load(150);
    expect(problems).toEqual([]);
    expect(answered).toBe(135);
    expect(Object.keys(hostile).length).toBeGreaterThan(8);
    expect(tensors).toBeGreaterThan(50);
    expect(await metricOf(server.url, token, 'tokenfuse_engine_tensors')).toBe(tensors);
    expect(await metricOf(server.url, token, 'tokenfuse_queue_length')).toBe(0);
    expect(await metricOf(server.url, token, 'tokenfuse_held_bytes')).toBe(0);
    const { code, stdout, stderr } = await server.end('SIGTERM');
    expect(code).toBe(0);
    expect(stdout).toMatch(/\n\d+ requests answered, \d+ refused\n$/);
    // One line for each request, and nothing but lines of JSON.
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ level }) => level !== undefined)).toEqual([]);
    expect(lines.filter(({ route, code: of }) => route === '/v1/caption' && of === 'ok')).toHaveLength(153);
  });

  it('answers what is in flight when SIGTERM comes', async () => {
    const folder = temporaryFolder();
    const [{ bytes, caption }] = await writeTinyService(folder);
    const server = await startServer(folder, [
      'serve',
      'merged',
      '--engine',
      'cpu',
      '--rate',
      '0',
      '--batch-size',
      '1',
    ]);
    const clients = Array.from({ length: 12 }, () => createHttpClient(server.url));
    const answers = clients.map((client) => client.send({ path: `/v1/caption${QUERY}`, headers: PNG, body: bytes }));
    // Accepted and not answered.
    await Promise.race(answers);
    const ended = server.end('SIGTERM');
    for (const { status, text } of await Promise.all(answers)) {
      expect([status, (JSON.parse(text) as { caption: string }).caption]).toEqual([200, caption]);
    }
    expect((await ended).code).toBe(0);
    for (const client of clients) client.close();
  });

  it('gives its counts as JSON, the log being on stderr', async () => {
    const folder = temporaryFolder();
    await writeTinyService(folder);
    const server = await startServer(folder, ['serve', 'language', '--engine', 'wasm', '--json']);
    const client = createHttpClient(server.url);
    await client.send({ method: 'GET', path: '/v1/model' });
    await client.send({ method: 'GET', path: '/v2' });
    client.close();
    const { code, stdout } = await server.end('SIGINT');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ model: expect.any(String), answered: 1, refused: 1 });
  });

  it('refuses in one line what it cannot serve', async () => {
    const folder = temporaryFolder();
    await writeTinyService(folder);
    const words = ['serve', 'merged', '--engine', 'wasm'];
    expect(await refusal([...words, '--host', '0.0.0.0'], folder, 2)).toContain(
      'expected a token, as others can reach it',
    );
    expect(await refusal([...words, '--port', '70000'], folder, 2)).toContain('--port: expected a number up to 65535');
    expect(await refusal([...words, '--max-pictures', '300'], folder, 2)).toContain('expected at most --queue, 256');
    expect(await refusal([...words, '--site', 'nowhere'], folder, 2)).toContain('cannot read --site nowhere');
    expect(await refusal(['serve', 'vision', '--engine', 'wasm', '--sparse', '4'], folder, 2)).toContain(
      'got a vision model',
    );
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    expect(await refusal([...words, '--port', String(port)], folder, 1)).toContain('another program has it');
    other.close();
    expect((await tokenfuse([...words, '--help'], folder)).stdout).toContain('--batch-wait <ms>');
  });
});
