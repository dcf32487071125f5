/**
 * @file `tokenfuse serve` under load, beside `tokenfuse caption` on the same pictures:
 * `npm run bench:serve -- <model> <folder of pictures> [engine] [requests] [clients] [rounds] [pictures of a request]`.
 *
 * Both take turns within a round. One in ten requests is broken or hostile; every caption is checked against that of its own
 * picture. Clients and server share this machine, so the processor time of the server tells more than the clock where it has
 * few cores. Exit code 1 when a request is lost or mixed up, memory grows, or the service is slower than 0.8 of `caption`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { listImageArguments } from '#captions/formats';
import { captionImageFiles, loadJointModel } from '#fusion';
import { Decoding } from '#language';
import { type EngineName, selectEngine } from '#src/engine';
import { median } from '../statistics.js';
import { createHttpClient } from './httpClient.js';
import { type KnownPicture, type LoadReport, metricOf, serveLoad } from './serveLoad.js';

const [modelPath, folder, engine = 'auto', requests = '2000', clients = '32', rounds = '3', perRequest = '1'] =
  process.argv.slice(2);
if (folder === undefined) {
  console.error(
    'expected: npm run bench:serve -- <model> <folder of pictures> [engine] [requests] [clients] [rounds] [pictures of a request]',
  );
  process.exit(2);
}
const LEAST = 0.8;
const TOKEN = 'a-token-for-this-bench';
const MEGABYTES = 1;
const batchSize = 32;

const { name, device } = await selectEngine(engine as 'auto' | EngineName);
const model = loadJointModel(modelPath);
const decoding = Decoding.parse({ method: 'greedy' });
const { images } = listImageArguments([folder]);

const captions = new Map<number, string>();
/** What `tokenfuse caption` does, its start left out: pictures a second, and processor time for each. */
async function captionAll(): Promise<{ perSecond: number; cpuMs: number }> {
  const started = performance.now();
  const before = process.cpuUsage();
  let done = 0;
  // As many as the load asks for captions of.
  while (done < Number(requests) * Number(perRequest) * 0.9) {
    for await (const batch of captionImageFiles(model, images, { decoding, batchSize })) {
      for (const { image, candidates } of batch) captions.set(image.id, candidates[0].caption);
      done += batch.length;
    }
  }
  const { user, system } = process.cpuUsage(before);
  return { perSecond: (1000 * done) / (performance.now() - started), cpuMs: (user + system) / 1000 / done };
}
await captionAll();
const pictures: KnownPicture[] = images.map(({ id, path }) => ({
  ...{ name: `${id}.png`, bytes: readFileSync(path), caption: captions.get(id) ?? '' },
}));

const home = mkdtempSync(join(tmpdir(), 'tokenfuse-serve-'));
writeFileSync(join(home, 'token'), TOKEN);
const program = fileURLToPath(new URL('../../experiments/main.js', import.meta.url));
const words = ['serve', modelPath, '--port', '0', '--engine', engine, '--token-file', join(home, 'token')];
const limits = ['--rate', '0', '--timeout', '5', '--max-megabytes', String(MEGABYTES), '--queue', '1024'];
const server = spawn(process.execPath, [program, ...words, ...limits], { stdio: ['ignore', 'pipe', 'ignore'] });
let failed = false;
try {
  let url = '';
  for await (const line of createInterface(server.stdout)) {
    url = /^serving at ([^\s,]+)/.exec(line)?.[1] ?? '';
    if (url !== '') break;
  }
  const load = (): Promise<LoadReport> =>
    serveLoad({
      ...{ url, token: TOKEN, maxBodyBytes: MEGABYTES * 2 ** 20, pictures, hostileEvery: 10 },
      ...{ clients: Number(clients), requests: Number(requests), perRequest: Number(perRequest), seed: 1 },
    });
  const gauge = (metric: string): Promise<number> => metricOf(url, TOKEN, metric);
  console.log(
    `${name}: ${device}; ${clients} clients, ${requests} requests of ${perRequest} a round, one in ten broken or hostile\n`,
  );
  console.log(
    '| round | caption, pictures/s | serve, pictures/s | of caption | caption, CPU ms | serve, CPU ms | p50, ms | p99, ms | health p99, ms | RSS, MB | tensors | problems |',
  );
  console.log('| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  const ratios: number[] = [];
  const memory: { rss: number; tensors: number }[] = [];
  for (let round = 0; round <= Number(rounds); round++) {
    const alone = await captionAll();
    const cpu = (): Promise<number> => gauge('process_cpu_seconds_total');
    const before = await cpu();
    const health = askHealth(url);
    const { answered, seconds, latencies, problems, hostile } = await load();
    const healthMs = await health.end();
    const captioned = answered * Number(perRequest);
    const cpuMs = (1000 * ((await cpu()) - before)) / captioned;
    const served = captioned / seconds;
    const at = { rss: await gauge('process_resident_memory_bytes'), tensors: await gauge('tokenfuse_engine_tensors') };
    memory.push(at);
    // The first warms up.
    if (round > 0) ratios.push(served / alone.perSecond);
    failed ||= problems.length > 0;
    for (const problem of problems.slice(0, 5)) console.error(problem);
    const of = (share: number, sorted = latencies): string =>
      sorted[Math.floor(share * (sorted.length - 1))].toFixed(0);
    const numbers = [
      ...[alone.perSecond.toFixed(0), served.toFixed(0), (served / alone.perSecond).toFixed(2)],
      ...[alone.cpuMs.toFixed(2), cpuMs.toFixed(2), of(0.5), of(0.99), of(0.99, healthMs)],
    ];
    console.log(`| ${[round, ...numbers, (at.rss / 2 ** 20).toFixed(0), at.tensors, problems.length].join(' | ')} |`);
    if (round === Number(rounds)) console.log(`\nbroken or hostile in a round: ${JSON.stringify(hostile)}`);
  }
  const ratio = median(ratios);
  const [first, end] = [memory[1] ?? memory[0], memory[memory.length - 1]];
  const growth = end.rss / first.rss - 1;
  console.log(
    `throughput ${ratio.toFixed(2)} of caption, RSS ${(100 * growth).toFixed(1)} % more in the last round than in round 1`,
  );
  failed ||= ratio < LEAST || growth > 0.2 || end.tensors !== first.tensors;
} finally {
  server.kill();
  model.dispose();
  rmSync(home, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

/** Asks for health twenty times a second, as long as there is load: what it takes is what the loop that answers is late. */
function askHealth(url: string): { end(): Promise<number[]> } {
  let isOver = false;
  const asking = (async () => {
    const client = createHttpClient(url);
    const milliseconds: number[] = [];
    while (!isOver) {
      const started = performance.now();
      await client.send({ method: 'GET', path: '/health/live' });
      milliseconds.push(performance.now() - started);
      await sleep(50);
    }
    client.close();
    return milliseconds.sort((a, b) => a - b);
  })();
  return {
    end: () => {
      isOver = true;
      return asking;
    },
  };
}
