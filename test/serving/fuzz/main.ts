/**
 * @file Fuzzed requests against `tokenfuse serve`: `npm run fuzz:serve -- [requests] [seed] [engine]`.
 *
 * Exit code 1 when a request hangs, fails with 500, reads a file outside of the site, or when the server ends or its memory grows.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type EngineName, selectEngine } from '#src/engine';
import { metricOf } from '../../../bench/serving/serveLoad.js';
import { SERVICE_TOKEN, writeTinyService } from '../../support/tinyService.js';
import { fuzzService } from './fuzzService.js';
import { FUZZ_SECRET, writeFuzzSite } from './fuzzSite.js';

const [requests = '10000', seed = '1', engine = 'native'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-fuzz-'));
await selectEngine(engine as EngineName);
const [{ bytes: picture }] = await writeTinyService(folder);
const site = writeFuzzSite(folder);
const program = fileURLToPath(new URL('../../../experiments/main.js', import.meta.url));
const words = ['serve', join(folder, 'merged'), '--site', site, '--port', '0', '--engine', engine];
const limits = ['--token-file', join(folder, 'token'), '--rate', '0', '--timeout', '3', '--max-megabytes', '1'];
const server = spawn(process.execPath, [program, ...words, ...limits], { stdio: ['ignore', 'pipe', 'ignore'] });
let ended = false;
server.once('exit', () => {
  ended = true;
});
let failed = true;
try {
  let url = '';
  for await (const line of createInterface(server.stdout)) {
    url = /^serving at ([^\s,]+)/.exec(line)?.[1] ?? '';
    if (url !== '') break;
  }
  const gauge = (name: string): Promise<number> => metricOf(url, SERVICE_TOKEN, name);
  const sizes: { rss: number; tensors: number }[] = [];
  const report = async (done: number): Promise<void> => {
    const rss = (await gauge('process_resident_memory_bytes')) / 2 ** 20;
    const tensors = await gauge('tokenfuse_engine_tensors');
    sizes.push({ rss, tensors });
    const heap = (await gauge('tokenfuse_heap_bytes')) / 2 ** 20;
    console.log(`${done} requests: RSS ${rss.toFixed(0)} MB, heap ${heap.toFixed(0)} MB, ${tensors} tensors`);
  };
  const started = performance.now();
  const { statuses, problems } = await fuzzService({
    ...{ url, token: SERVICE_TOKEN, picture, secret: FUZZ_SECRET, report },
    ...{ requests: Number(requests), seed: Number(seed), atOnce: 32 },
  });
  console.log(
    `answers by status: ${JSON.stringify(statuses)} in ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  for (const problem of problems.slice(0, 20)) console.error(problem);
  // Caches and the heap's reserve fill in the first fifth.
  const [first, last] = [sizes[Math.floor(sizes.length / 5)], sizes[sizes.length - 1]];
  const grows = first !== undefined && (last.rss > 1.2 * first.rss + 20 || last.tensors !== first.tensors);
  const queue = await gauge('tokenfuse_queue_length');
  const held = await gauge('tokenfuse_held_bytes');
  console.log(`${problems.length} problems; ${queue} items and ${held} bytes left`);
  failed = ended || problems.length > 0 || grows || queue !== 0 || held !== 0;
} finally {
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
