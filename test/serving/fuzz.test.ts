import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine } from '#src/engine';
import { metricOf } from '../../bench/serving/serveLoad.js';
import { startServer } from '../support/startedServer.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { SERVICE_TOKEN as token, writeTinyService } from '../support/tinyService.js';
import { fuzzService } from './fuzz/fuzzService.js';
import { FUZZ_SECRET, writeFuzzSite } from './fuzz/fuzzSite.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

describe('tokenfuse serve, fuzzed', () => {
  it('answers or refuses 200 requests, reads nothing outside of its site, and keeps nothing (npm run fuzz:serve for more)', async () => {
    const folder = temporaryFolder();
    const [{ bytes: picture }] = await writeTinyService(folder);
    writeFuzzSite(folder);
    const words = ['serve', 'merged', '--engine', 'wasm', '--token-file', 'token', '--site', 'site'];
    const server = await startServer(folder, [...words, '--rate', '0', '--timeout', '1', '--max-megabytes', '1']);
    const { statuses, problems } = await fuzzService({
      ...{ url: server.url, token, picture, secret: FUZZ_SECRET, requests: 200, seed: 1, atOnce: 24 },
    });
    expect(problems).toEqual([]);
    // It is neither all nonsense nor all fine.
    for (const status of ['200', '400', '401', '404']) expect(statuses[status], status).toBeGreaterThan(2);
    expect(await metricOf(server.url, token, 'tokenfuse_queue_length')).toBe(0);
    expect(await metricOf(server.url, token, 'tokenfuse_held_bytes')).toBe(0);
    const { code, stderr } = await server.end('SIGTERM');
    expect(code).toBe(0);
    expect(stderr).not.toContain('"level":"error"');
  });
});
