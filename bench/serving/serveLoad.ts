import { createRandom } from '#src/random';
import { HOSTILE, type HostileTarget, slowLoris } from './hostileRequests.js';
import { createHttpClient, formOf, type HttpAnswer, type HttpClient } from './httpClient.js';

/** A picture and the caption that `tokenfuse caption` gives it. */
export interface KnownPicture {
  readonly name: string;
  readonly bytes: Buffer;
  readonly caption: string;
}

export interface LoadOptions {
  readonly url: string;
  readonly token: string;
  readonly maxBodyBytes: number;
  readonly pictures: readonly KnownPicture[];
  /** Options of the captions, as a query. */
  readonly query?: string;
  readonly clients: number;
  /** Pictures of a request; more than one are sent to the route of several. */
  readonly perRequest: number;
  readonly requests: number;
  /** Every so manyth request is broken or hostile; 0: none. */
  readonly hostileEvery: number;
  readonly seed: number;
}

export interface LoadReport {
  readonly answered: number;
  readonly hostile: Readonly<Record<string, number>>;
  /** What went wrong: lost, mixed up, or a hostile request that was answered otherwise than it should. */
  readonly problems: readonly string[];
  /** Until the last caption came. */
  readonly seconds: number;
  /** Of the answers with captions, in milliseconds, ascending. */
  readonly latencies: readonly number[];
}

/** Clients that send one request after another, and check each caption against that of its own picture. */
export async function serveLoad(options: LoadOptions): Promise<LoadReport> {
  const { url, token, pictures, query = '', clients, perRequest, requests, hostileEvery, seed } = options;
  const target: HostileTarget = { ...options, picture: pictures[0].bytes };
  const kinds = [...Object.keys(HOSTILE), 'slow loris'];
  const hostile: Record<string, number> = {};
  const problems: string[] = [];
  const latencies: number[] = [];
  const aside: Promise<string | undefined>[] = [];
  let next = 0;
  const started = performance.now();
  let last = started;

  const send = async (client: HttpClient, n: number, known: readonly KnownPicture[]): Promise<HttpAnswer> => {
    const headers = { authorization: `Bearer ${token}` };
    if (perRequest === 1 && n % 2 === 1) {
      const body = known[0].bytes;
      return client.send({ path: `/v1/caption${query}`, headers: { ...headers, 'content-type': 'image/png' }, body });
    }
    const form = formOf(known);
    const path = perRequest === 1 ? '/v1/caption' : '/v1/captions';
    return client.send({ path: `${path}${query}`, headers: { ...headers, ...form.headers }, body: form.body });
  };

  const ask = async (client: HttpClient, n: number): Promise<void> => {
    const known = Array.from({ length: perRequest }, (_, i) => pictures[(n * perRequest + i) % pictures.length]);
    const sent = performance.now();
    const { status, text } = await send(client, n, known);
    last = performance.now();
    latencies.push(last - sent);
    if (status !== 200) {
      problems.push(`request ${n}: status ${status}: ${text}`);
      return;
    }
    const answer = JSON.parse(text) as { caption: string; results?: readonly { caption: string }[] };
    const found = (answer.results ?? [answer]).map(({ caption }) => caption);
    const wanted = known.map(({ caption }) => caption);
    if (found.join('\n') !== wanted.join('\n')) problems.push(`request ${n}: expected ${wanted}, got ${found}`);
  };

  await Promise.all(
    Array.from({ length: clients }, async () => {
      const client = createHttpClient(url);
      for (let n = next++; n < requests; n = next++) {
        if (hostileEvery === 0 || n % hostileEvery !== hostileEvery - 1) {
          await ask(client, n);
          continue;
        }
        const kind = kinds[Math.floor(n / hostileEvery) % kinds.length];
        hostile[kind] = (hostile[kind] ?? 0) + 1;
        // It takes as long as the server lets it, and no client waits for it.
        if (kind === 'slow loris') aside.push(slowLoris(target));
        else {
          const problem = await HOSTILE[kind](client, target, createRandom(seed, 'hostile', n));
          if (problem !== undefined) problems.push(`request ${n}, ${kind}: ${problem}`);
        }
      }
      client.close();
    }),
  );
  for (const problem of await Promise.all(aside)) if (problem !== undefined) problems.push(problem);
  const asked = latencies.length;
  return {
    ...{ answered: asked, hostile, problems, seconds: (last - started) / 1000 },
    latencies: latencies.sort((a, b) => a - b),
  };
}

/** The value of a metric without labels. */
export async function metricOf(url: string, token: string, name: string): Promise<number> {
  const client = createHttpClient(url);
  const headers = { authorization: `Bearer ${token}` };
  const { text } = await client.send({ method: 'GET', path: '/metrics', headers });
  client.close();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}
