import type { Random } from '#src/random';
import { formOf } from '../../../bench/serving/httpClient.js';
import { ROUTES, type Route } from '../../../serving/front/routes.js';

/** What a request may be made of. */
export interface FuzzParts {
  readonly token: string;
  readonly picture: Buffer;
}

const PATHS: readonly string[] = [
  ...[
    '/',
    '/index.html',
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2f..%2fsecret.txt',
    '/link.txt',
    '/up/secret.txt',
  ],
  ...['/....//secret.txt', '/%c0%ae%c0%ae/secret.txt', '//secret.txt', '/%00', '/%', '/v1/../../secret.txt', '*'],
  ...['http://localhost/secret.txt', '/?a=%ff%fe', '/.hidden', '/secret.txt::$DATA', '/..\\secret.txt', '/v1/caption/'],
];
const FIELDS = [
  'decoding',
  'width',
  'max-tokens',
  'seed',
  'temperature',
  'top-k',
  'stop-tokens',
  'caption',
  'image-id',
  'x',
];
const VALUES = [
  '',
  '0',
  '1',
  '-1',
  '1e999',
  'NaN',
  '3',
  'beam',
  'sample',
  'a red square',
  '\u0000',
  '💥',
  '__proto__',
  'x'.repeat(3000),
];
const JSONS = [
  '{}',
  '{"prompt":"a","max-tokens":3}',
  '[',
  'null',
  '{"prompt":[]}',
  '{"constructor":{"prototype":{}}}',
  '"',
];
const TYPES = [
  ...['image/png', 'application/json', 'application/octet-stream', 'multipart/form-data', 'text/plain', 'image/../x'],
  ...['multipart/form-data; boundary=', 'application/json; charset=utf-16', ''],
];
const MAX_BYTES = 300_000;

const pick = <Item>(items: readonly Item[], random: Random): Item => items[random.integer(items.length)];

/** The bytes of a request that is right, nearly right, or nonsense; one request and one connection. */
export function fuzzedRequest({ token, picture }: FuzzParts, random: Random): Buffer {
  const route: Route = pick(Object.values(ROUTES), random);
  const query =
    random.integer(3) === 0 ? `?${encodeURI(`${pick(FIELDS, random)}=${pick(VALUES, random)}`)}` : '?max-tokens=3';
  const path = random.integer(3) === 0 ? pick(PATHS, random) : `${route.path}${route.decodes ? query : ''}`;
  const method =
    random.integer(8) === 0 ? pick(['PUT', 'HEAD', 'OPTIONS', 'GET', 'CONNECT', 'X'], random) : route.method;
  const body = method === 'POST' ? bodyOf(route, picture, random) : { type: '', bytes: Buffer.alloc(0) };
  const length = random.integer(20) === 0 ? pick(['-1', 'x', '5', '99999999999'], random) : body.bytes.length;
  const headers = [
    `host: ${random.integer(15) === 0 ? pick(['evil.example', '', 'localhost:x', '[::1]'], random) : 'localhost'}`,
    ...(random.integer(10) === 0 ? [] : [`authorization: Bearer ${token}`]),
    ...(body.type === '' ? [] : [`content-type: ${body.type}`]),
    ...(random.integer(20) === 0 ? ['transfer-encoding: chunked'] : []),
    `content-length: ${length}`,
    ...(random.integer(20) === 0
      ? [pick(['origin: null', 'expect: 100-continue', 'upgrade: h2c', 'x: \u0001', 'range: bytes=0-1'], random)]
      : []),
    'connection: close',
  ];
  const request = Buffer.concat([
    Buffer.from(`${method} ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`),
    body.bytes,
  ]);
  return random.integer(4) === 0 ? mutated(request, random) : request;
}

function bodyOf(route: Route, picture: Buffer, random: Random): { type: string; bytes: Buffer } {
  const image = random.integer(2) === 0 ? mutated(picture, random) : picture;
  const choice = random.integer(10);
  if (choice === 0) return { type: pick(TYPES, random), bytes: image };
  if (choice === 1) return { type: pick(TYPES, random), bytes: Buffer.alloc(random.integer(MAX_BYTES)) };
  if (route.takes === 'json') return { type: 'application/json', bytes: Buffer.from(pick(JSONS, random)) };
  if (choice < 5) return { type: pick(['image/png', 'image/jpeg', 'application/octet-stream'], random), bytes: image };
  const fields = Object.fromEntries([
    ['max-tokens', '3'],
    ...Array.from({ length: random.integer(3) }, () => [pick(FIELDS, random), pick(VALUES, random)]),
  ]);
  const files = Array.from({ length: random.integer(5) }, (_, i) => ({ name: `${i}.png`, bytes: image }));
  const { headers, body } = formOf(
    files,
    route.decodes || random.integer(3) === 0 ? fields : { caption: 'a red square' },
  );
  return { type: headers['content-type'], bytes: random.integer(3) === 0 ? mutated(body, random) : body };
}

/** Flips, cuts, repeats or inserts bytes. */
function mutated(bytes: Buffer, random: Random): Buffer {
  const at = random.integer(bytes.length + 1);
  const span = random.integer(40);
  switch (random.integer(4)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + span)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - span))]);
    default: {
      const changed = Buffer.from(bytes);
      for (let i = at; i < Math.min(at + 1 + (span >> 3), bytes.length); i++) changed[i] = random.integer(256);
      return changed;
    }
  }
}
