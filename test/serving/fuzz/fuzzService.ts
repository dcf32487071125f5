import { connect } from 'node:net';
import { createRandom } from '#src/random';
import { type FuzzParts, fuzzedRequest } from './fuzzedRequest.js';

export interface FuzzOptions extends FuzzParts {
  readonly url: string;
  readonly requests: number;
  readonly seed: number;
  /** What no answer may contain. */
  readonly secret: string;
  /** Requests at a time. */
  readonly atOnce: number;
  readonly report?: (done: number) => Promise<void>;
}

export interface FuzzReport {
  /** How many answers had each status; 0: none. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

/** A client that waits for no answer longer than this has found a request that hangs. */
const PATIENCE_MS = 60_000;

/** Sends fuzzed requests, each over a connection of its own, and looks at every answer. */
export async function fuzzService(options: FuzzOptions): Promise<FuzzReport> {
  const { url, requests, seed, secret, atOnce, report } = options;
  const statuses: Record<string, number> = {};
  const problems: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < requests; n = next++) {
      const bytes = fuzzedRequest(options, createRandom(seed, 'fuzz', n));
      const answer = await sendBytes(url, bytes, n % 3 === 0);
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer ?? '')?.[1] ?? '0';
      statuses[status] = (statuses[status] ?? 0) + 1;
      const first = bytes.subarray(0, 200).toString('latin1');
      if (answer === undefined) problems.push(`request ${n} hangs: ${first}`);
      if (answer?.includes(secret)) problems.push(`request ${n} read a file outside: ${first}`);
      if (status === '500') problems.push(`request ${n} failed: ${first}\n${answer}`);
      if (answer?.includes('node_modules')) problems.push(`request ${n} shows a stack: ${first}`);
      if (n % 1000 === 999) await report?.(n + 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { statuses, problems };
}

/** @param ends ends its side after the request; else the server's limits of time must do so */
function sendBytes(url: string, bytes: Buffer, ends: boolean): Promise<string | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => (ends ? socket.end(bytes) : socket.write(bytes)));
    const timer = setTimeout(() => {
      resolve(undefined);
      socket.destroy();
    }, PATIENCE_MS);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}
