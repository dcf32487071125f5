import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { shownText } from '#src/errors';
import type { Texts } from './fields.js';
import type { HeldShare } from './heldBytes.js';
import { Refusal, refusalOf } from './refusal.js';

/** A picture as it was sent. */
export interface SentPicture {
  /** The name that its sender gave it. */
  readonly name: string | null;
  readonly bytes: Buffer<ArrayBuffer>;
}

/** What a request sends. */
export interface RequestInput {
  readonly texts: Texts;
  readonly pictures: readonly SentPicture[];
}

/** The field of a form that holds pictures. */
const PICTURE_FIELD = 'image';

const MAX_FIELDS = 64;
const MAX_FIELD_BYTES = 64 * 1024;

/** Reads a body that comes in pieces. @throws Refusal when it is too large or ends early */
export async function readWhole(stream: Readable, held: HeldShare): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    held.add(chunk.length);
    chunks.push(chunk);
    length += chunk.length;
  }
  // Memory of its own, so that it can be handed to another thread.
  const whole = Buffer.from(new ArrayBuffer(length));
  let at = 0;
  for (const chunk of chunks) at += chunk.copy(whole, at);
  return whole;
}

/** The pictures and fields of a form, with the fields of the query. @throws Refusal */
export async function readForm(request: FastifyRequest, held: HeldShare, maxPictures: number): Promise<RequestInput> {
  try {
    return await readParts(request, held, maxPictures);
  } catch (error) {
    // The parser of forms has errors of its own kind.
    throw refusalOf(error) ?? new Refusal('bad_request', `a broken form: ${(error as Error).message}`);
  }
}

async function readParts(request: FastifyRequest, held: HeldShare, maxPictures: number): Promise<RequestInput> {
  const texts = queryTexts(request);
  const pictures: SentPicture[] = [];
  const limits = {
    ...{ files: maxPictures, fields: MAX_FIELDS, parts: maxPictures + MAX_FIELDS },
    ...{ fieldSize: MAX_FIELD_BYTES, fieldNameSize: 100, headerPairs: 32, fileSize: Number.MAX_SAFE_INTEGER },
  };
  for await (const part of request.parts({ limits })) {
    if (part.type === 'file') {
      if (part.fieldname !== PICTURE_FIELD) {
        throw new Refusal(
          'invalid_field',
          `expected pictures in the field '${PICTURE_FIELD}', got one in '${shownText(part.fieldname, 60)}'`,
        );
      }
      pictures.push({ name: part.filename ?? null, bytes: await readWhole(part.file, held) });
    } else {
      const { fieldname, value, valueTruncated, fieldnameTruncated } = part;
      const text = String(value);
      held.add(fieldname.length + text.length);
      if (valueTruncated || fieldnameTruncated) {
        throw new Refusal('too_large', `expected at most ${MAX_FIELD_BYTES} bytes in a field, got more`);
      }
      texts.set(fieldname, [...(texts.get(fieldname) ?? []), text]);
    }
  }
  return { texts, pictures };
}

/** The fields of a query. */
export function queryTexts({ query }: FastifyRequest): Map<string, string[]> {
  return new Map(
    Object.entries(query as Readonly<Record<string, string | string[]>>).map(([name, value]) => [name, [value].flat()]),
  );
}

/** The members of a JSON object as text. @throws Refusal for anything but an object of texts, numbers and lists of texts */
export function jsonTexts(body: unknown): Map<string, string[]> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Refusal('bad_request', 'expected a JSON object');
  }
  const textOf = (name: string, value: unknown): string => {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return String(value);
    throw new Refusal('invalid_field', `${shownText(name, 60)}: expected a text or a number`);
  };
  return new Map(
    Object.entries(body).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map((one) => textOf(name, one)) : [textOf(name, value)],
    ]),
  );
}
