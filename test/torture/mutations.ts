import type { Random } from '#src/random';

type Mutation = (random: Random, bytes: Buffer, others: readonly Buffer[]) => Buffer;

const NUMBERS = [
  '-1',
  '0',
  '1e308',
  '1e999',
  '-0',
  '9007199254740993',
  '99999999999999999999',
  '2147483648',
  'NaN',
  '0.5',
];
const WORDS = [
  'null',
  'true',
  '""',
  '{}',
  '[]',
  '"__proto__"',
  '"constructor"',
  '"\\u0000"',
  '"\\ud800"',
  '..',
  '/dev/zero',
];
const PIECES = [
  ...[
    '\uFEFF',
    '\r\n',
    '\r',
    '\0',
    '\u001b[31m',
    '\u202e',
    '\t',
    '#',
    ',',
    '"',
    '&a *a',
    '!!js/function',
    '<<: *a',
    '\u2028',
  ],
].map((text) => Buffer.from(text));
/** No text in UTF-8: a lone continuation, an overlong slash, a surrogate, the mark of UTF-16. */
const BAD_UTF8 = [[0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xff, 0xfe]].map((bytes) => Buffer.from(bytes));

const flip: Mutation = (random, bytes) => {
  const result = Buffer.from(bytes);
  for (let i = random.integer(8); i >= 0 && result.length > 0; i--) {
    result[random.integer(result.length)] ^= 1 << random.integer(8);
  }
  return result;
};

const truncate: Mutation = (random, bytes) => bytes.subarray(0, random.integer(bytes.length + 1));

const cutOut: Mutation = (random, bytes) => {
  const [start, end] = span(random, bytes);
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
};

const duplicate: Mutation = (random, bytes) => {
  const [start, end] = span(random, bytes);
  const copies = Array.from({ length: 1 + random.integer(3) }, () => bytes.subarray(start, end));
  return insert(bytes, random.choice([start, end, bytes.length]), Buffer.concat(copies));
};

const splice: Mutation = (random, bytes, others) => {
  const other = random.choice(others);
  const [start, end] = span(random, other);
  return insert(bytes, random.integer(bytes.length + 1), other.subarray(start, end));
};

const crossOver: Mutation = (random, bytes, others) => {
  const other = random.choice(others);
  const cut = random.integer(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, cut), other.subarray(random.integer(other.length + 1))]);
};

const zeros: Mutation = (random, bytes) => {
  const [start, end] = span(random, bytes);
  const result = Buffer.from(bytes);
  return result.fill(random.choice([0, 0xff, 0x20]), start, end);
};

const extremeNumber: Mutation = (random, bytes) =>
  replaceMatch(random, bytes, /-?\d+(\.\d+)?/g, random.choice(NUMBERS));

/** The eight bytes of a number, as in binary headers. */
const extremeBytes: Mutation = (random, bytes) => {
  const result = Buffer.from(bytes);
  const value = random.choice([0n, 1n, 0x7fffffffn, 0xffffffffn, 2n ** 63n - 1n, 2n ** 64n - 1n]);
  if (result.length >= 8) result.writeBigUInt64LE(value, random.integer(result.length - 7));
  return result;
};

const otherWord: Mutation = (random, bytes) =>
  replaceMatch(random, bytes, /"(?:[^"\\]|\\.)*"|[A-Za-z_][\w-]*/g, random.choice(WORDS));

const nest: Mutation = (random, bytes) => {
  const [open, close] = random.choice([
    ['[', ']'],
    ['{"a":', '}'],
    ['- ', ''],
  ]);
  const depth = random.choice([50, 1000, 20_000]);
  const text = open.repeat(depth) + random.choice(['', '1']) + close.repeat(random.choice([0, depth]));
  return insert(bytes, random.integer(bytes.length + 1), Buffer.from(text));
};

const long: Mutation = (random, bytes) => {
  const text = random.choice(['a', '9', ' ', '\n', 'ä', '"']).repeat(random.choice([100, 5000, 100_000]));
  return insert(bytes, random.integer(bytes.length + 1), Buffer.from(text));
};

const strangePiece: Mutation = (random, bytes) =>
  insert(bytes, random.integer(bytes.length + 1), random.choice([...PIECES, ...BAD_UTF8]));

const otherEncoding: Mutation = (random, bytes) => {
  const text = bytes.toString('utf8');
  return random.choice([
    Buffer.from(text, 'utf16le'),
    Buffer.from(text, 'latin1'),
    Buffer.from(`\uFEFF${text}`),
    Buffer.from(text.replaceAll('\n', '\r')),
    Buffer.from(text.replaceAll('\n', '\r\n')),
  ]);
};

const MUTATIONS: readonly Mutation[] = [
  ...[flip, flip, truncate, cutOut, duplicate, splice, crossOver, zeros],
  ...[extremeNumber, extremeNumber, extremeBytes, otherWord, otherWord, nest, long, strangePiece, otherEncoding],
];
const MAX_BYTES = 1 << 20;

/** A file that is damaged, or meant to damage: one to three mutations of a valid one. */
export function mutate(random: Random, bytes: Buffer, others: readonly Buffer[]): Buffer {
  let result = bytes;
  for (let i = random.integer(3); i >= 0; i--) result = random.choice(MUTATIONS)(random, result, others);
  return result.subarray(0, MAX_BYTES);
}

function span(random: Random, bytes: Buffer): [number, number] {
  const start = random.integer(bytes.length + 1);
  return [start, Math.min(bytes.length, start + random.integer(random.choice([4, 64, bytes.length + 1])))];
}

function insert(bytes: Buffer, at: number, piece: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
}

/** Latin-1 keeps every byte while text is looked for. */
function replaceMatch(random: Random, bytes: Buffer, pattern: RegExp, by: string): Buffer {
  const text = bytes.toString('latin1');
  const matches = [...text.matchAll(pattern)];
  if (matches.length === 0) return bytes;
  const { index, 0: found } = random.choice(matches);
  return Buffer.from(text.slice(0, index) + by + text.slice(index + found.length), 'latin1');
}
