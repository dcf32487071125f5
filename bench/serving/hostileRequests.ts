import { crc32, deflateSync } from 'node:zlib';
import type { Random } from '#src/random';
import { formOf, type HttpAnswer, type HttpClient, sendRaw } from './httpClient.js';

export interface HostileTarget {
  readonly url: string;
  readonly token: string;
  readonly picture: Buffer;
  /** What the server takes at most in a request. */
  readonly maxBodyBytes: number;
}

/** A broken or hostile request; resolves to what is wrong with the server's answer, or to nothing. */
type Hostile = (client: HttpClient, target: HostileTarget, random: Random) => Promise<string | undefined>;

const expecting = (answer: HttpAnswer, ...statuses: number[]): string | undefined =>
  statuses.includes(answer.status)
    ? undefined
    : `status ${answer.status}, expected ${statuses.join(' or ')}: ${answer.text}`;

const withToken = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

const asPng = (token: string): Record<string, string> => ({ ...withToken(token), 'content-type': 'image/png' });

/** Requests that no server should choke on, by name. */
export const HOSTILE: Readonly<Record<string, Hostile>> = {
  'bad multipart': async (client, { token, picture }, random) => {
    const { headers, body } = formOf([{ name: 'a.png', bytes: picture }]);
    const cut = body.subarray(0, 1 + random.integer(body.length - 8));
    return expecting(
      await client.send({ path: '/v1/caption', headers: { ...headers, ...withToken(token) }, body: cut }),
      ...[400, 422],
    );
  },
  'truncated picture': async (client, { token, picture }, random) => {
    const cut = picture.subarray(0, 10 + random.integer(picture.length - 20));
    return expecting(await client.send({ path: '/v1/caption', headers: asPng(token), body: cut }), 422);
  },
  'pixel bomb': async (client, { token }) =>
    expecting(await client.send({ path: '/v1/caption', headers: asPng(token), body: PIXEL_BOMB }), 422),
  'wrong token': async (client, { picture }) =>
    expecting(await client.send({ path: '/v1/caption', headers: asPng('not-the-token-at-all'), body: picture }), 401),
  oversized: async (client, { token, maxBodyBytes }) => {
    const body = Buffer.alloc(maxBodyBytes + 1);
    return expecting(await client.send({ path: '/v1/caption', headers: asPng(token), body }), 413);
  },
  'client gone': async (client, { token, picture }, random) => {
    const breakOffAt = random.integer(picture.length);
    return expecting(await client.send({ path: '/v1/caption', headers: asPng(token), body: picture, breakOffAt }), 0);
  },
  'nonsense JSON': async (client, { token }, random) => {
    const bodies = [
      '{',
      'null',
      '[1]',
      '{"prompt":{}}',
      '{"__proto__":{"a":1}}',
      '{"prompt":"a","width":-1}',
      '\u0000',
    ];
    const headers = { ...withToken(token), 'content-type': 'application/json' };
    return expecting(
      await client.send({ path: '/v1/generate', headers, body: bodies[random.integer(bodies.length)] }),
      400,
    );
  },
  'no HTTP': async (_client, { url }, random) => {
    const bytes = Buffer.from(Array.from({ length: 200 }, () => random.integer(256)));
    const text = await sendRaw(url, [bytes, '\r\n\r\n']);
    return /^HTTP\/1\.1 4\d\d /.test(text) ? undefined : `expected a refusal, got '${text.slice(0, 100)}'`;
  },
};

const PIXEL_BOMB = pixelBomb();

/** A body that comes so slowly that the server must end it. */
export async function slowLoris({ url, token }: HostileTarget): Promise<string | undefined> {
  const head = `POST /v1/caption HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\ncontent-type: image/png\r\ncontent-length: 100000\r\n\r\n`;
  const text = await sendRaw(url, [head, ...Array.from({ length: 10_000 }, () => 'x')], 50);
  return /^HTTP\/1\.1 408 /.test(text) ? undefined : `slow loris: expected 408, got '${text.slice(0, 100)}'`;
}

/** A PNG of a few kB that says it is 60,000 × 60,000 pixels. */
function pixelBomb(): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    checksum.writeUInt32BE(crc32(typed));
    return Buffer.concat([length, typed, checksum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(60_000, 0);
  header.writeUInt32BE(60_000, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1 << 20))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
