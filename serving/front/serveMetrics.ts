import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ServedDescription } from '../settings.js';
import type { AnyBatch, BatchAnswer } from '../works.js';
import { createMetrics } from './metrics.js';

/** What is read when metrics are asked for. */
export interface Readings {
  readonly queue: () => number;
  readonly heldBytes: () => number;
  readonly connections: () => number;
}

/** The metrics of a server. */
export interface ServeMetrics {
  request(route: string, status: number, code: string, seconds: number): void;
  batch(batch: AnyBatch, seconds: number, answer: BatchAnswer | undefined): void;
  text(): string;
  close(): void;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128];

export function createServeMetrics(
  { name: model, kind, engine, version }: ServedDescription,
  { queue, heldBytes, connections }: Readings,
): ServeMetrics {
  const metrics = createMetrics();
  let last: Pick<BatchAnswer, 'tensors' | 'tensorBytes'> | undefined;
  const started = Date.now() / 1000;
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  metrics.gauge('tokenfuse_info', 'What is served.', () => [[{ model, kind, engine, version }, 1]]);
  const requests = metrics.counter('tokenfuse_requests_total', 'Requests by route, status and code.');
  const requestSeconds = metrics.histogram('tokenfuse_request_seconds', 'From headers to the end of answers.', SECONDS);
  const items = metrics.counter('tokenfuse_items_total', 'Pictures and prompts that the engine worked on.');
  const sizes = metrics.histogram('tokenfuse_batch_size', 'Items of a batch.', SIZES);
  const batchSeconds = metrics.histogram('tokenfuse_batch_seconds', 'Time of the engine for a batch.', SECONDS);
  const failures = metrics.counter('tokenfuse_engine_failures_total', 'Batches that failed.');
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.gauge(name, help, () => [[{}, read()]]);
  gauge('tokenfuse_queue_length', 'Items that are accepted and not answered yet.', queue);
  gauge('tokenfuse_held_bytes', 'Bytes of request bodies in memory.', heldBytes);
  gauge('tokenfuse_connections', 'Open connections.', connections);
  gauge('tokenfuse_engine_tensors', 'Tensors that the engine holds between batches.', () => last?.tensors ?? 0);
  gauge('tokenfuse_engine_bytes', 'Bytes of these tensors.', () => last?.tensorBytes ?? 0);
  metrics.gauge(
    'tokenfuse_event_loop_delay_seconds',
    'Delay of the loop that answers requests, since the last look.',
    () => {
      const read = (['50', '99', '100'] as const).map(
        (percent) => [{ quantile: Number(percent) / 100 }, delays.percentile(Number(percent)) / 1e9] as const,
      );
      delays.reset();
      return read;
    },
  );
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
  gauge('tokenfuse_heap_bytes', 'Used heap of the thread that answers requests.', () => process.memoryUsage().heapUsed);
  metrics.read('process_cpu_seconds_total', 'Processor time of all threads.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  gauge('process_start_time_seconds', 'When the server began.', () => started);
  return {
    request: (route, status, code, seconds) => {
      requests.add({ route, status, code });
      requestSeconds.observe(seconds, { route });
    },
    batch: ({ work, items: { length } }, seconds, answer) => {
      sizes.observe(length, { work });
      batchSeconds.observe(seconds, { work });
      items.add({ work }, length);
      if (answer === undefined) failures.add();
      else last = answer;
    },
    text: () => metrics.text(),
    close: () => delays.disable(),
  };
}
