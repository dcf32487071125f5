/** @file One of this project's engines as a side of a comparison: requests on stdin, answers on stdout. */
import { createInterface } from 'node:readline';
import { type EngineName, selectEngine } from '#src/engine';
import type { Hello, Measurement, Request } from '../workload.js';
import { prepare, type Repetition } from './prepare.js';

const { name, device, version } = await selectEngine(process.argv[2] as EngineName);
answer({ versions: { engine: `${name} (${device})`, tensorflowJs: version, node: process.version } });

const prepared = new Map<string, Repetition>();
for await (const line of createInterface({ input: process.stdin })) {
  const { workload, minSeconds }: Request = JSON.parse(line);
  const key = JSON.stringify(workload);
  const repetition = prepared.get(key) ?? prepare(workload);
  prepared.set(key, repetition);
  answer(await measure(repetition, minSeconds));
}

async function measure(repetition: Repetition, minSeconds: number): Promise<Measurement> {
  const losses: number[] = [];
  let result: Awaited<ReturnType<Repetition>>;
  let count = 0;
  const start = performance.now();
  let seconds: number;
  do {
    result = await repetition();
    losses.push(...(result.losses ?? []));
    count++;
    seconds = (performance.now() - start) / 1000;
  } while (seconds < minSeconds);
  return { ...result, seconds: seconds / count, losses };
}

function answer(message: Hello | Measurement): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
