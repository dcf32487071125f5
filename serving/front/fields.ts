import { z } from 'zod';
import { DECODING_METHODS, type Decoding, decodingOfTexts, NAMED_DECODING_OPTIONS } from '#language';
import { expectation } from '#src/config';
import { ConfigError, didYouMean, shownText } from '#src/errors';
import { Refusal } from './refusal.js';

/** The named values of a request, from its query, its form or its JSON, as text. */
export type Texts = ReadonlyMap<string, readonly string[]>;

/** A part of the description of a service: JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The JSON Schema of a zod schema. @param io of what is given, or of what is answered */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    // Bounds of whole numbers as such say nothing.
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return rest;
}

/** Fields of a request by name: numbers, texts, and lists of texts, which may be given again. */
export type FieldsSchema = z.ZodObject<Readonly<Record<string, z.ZodType>>>;

/** The most that a request may ask for, by the name of the decoding's option: work grows with them. */
const DECODING_CAPS: Readonly<Record<string, number>> = {
  'max-tokens': 256,
  width: 16,
  'n-best': 16,
  'num-samples': 16,
};
const MAX_STOP_TOKENS = 8;

/** The JSON Schema of each option of decoding. */
export const DECODING_FIELDS: Readonly<Record<string, JsonSchema>> = {
  decoding: { enum: DECODING_METHODS, description: 'default: the method that the other options imply' },
  ...Object.fromEntries(
    [...NAMED_DECODING_OPTIONS].map(([name, { type, methods, isList }]) => {
      const { description, ...schema } = jsonSchemaOf(type, 'input');
      const whose = methods.length < DECODING_METHODS.length ? `${methods.join(', ')}: ` : '';
      const cap = DECODING_CAPS[name];
      return [
        name,
        {
          ...schema,
          ...(cap !== undefined && { maximum: cap }),
          ...(isList && { maxItems: MAX_STOP_TOKENS }),
          description: `${whose}${description}`,
        },
      ];
    }),
  ),
};

/** The checked decoding of a request, by the names of `tokenfuse caption`. @throws Refusal */
export function readDecoding(texts: Texts): Decoding {
  for (const name of Object.keys(DECODING_FIELDS)) {
    if (name !== 'stop-tokens') onlyOne(texts, name);
  }
  let decoding: Decoding;
  try {
    decoding = decodingOfTexts({ text: (name) => texts.get(name)?.[0], texts: (name) => texts.get(name) ?? [] }, '');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Refusal('invalid_field', error.message);
  }
  const values = new Map<string, unknown>(Object.entries(decoding));
  for (const [name, cap] of Object.entries(DECODING_CAPS)) {
    const value = values.get(NAMED_DECODING_OPTIONS.get(name)?.key ?? '');
    if (typeof value === 'number' && value > cap) {
      throw new Refusal('invalid_field', `${name}: expected at most ${cap} of a server, got ${value}`);
    }
  }
  if (decoding.stopTokens.length > MAX_STOP_TOKENS) {
    throw new Refusal('invalid_field', `stop-tokens: expected at most ${MAX_STOP_TOKENS} of a server`);
  }
  return decoding;
}

/** The checked fields of a request. @throws Refusal */
export function readFields<Schema extends FieldsSchema>(schema: Schema, texts: Texts): z.output<Schema> {
  const given: Record<string, unknown> = {};
  for (const [name, type] of Object.entries(schema.shape)) {
    const values = texts.get(name);
    if (values === undefined) continue;
    const kind = jsonSchemaOf(type, 'input').type;
    if (kind === 'array') given[name] = values;
    else {
      const text = onlyOne(texts, name) ?? '';
      const isNumber = kind === 'integer' || kind === 'number';
      given[name] = isNumber && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
    }
  }
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Refusal('invalid_field', `${issue.path.join('.')}: ${expectation(issue)}`);
}

/** @throws Refusal for a name that a route does not know */
export function refuseOthers(texts: Texts, known: readonly string[]): void {
  const other = [...texts.keys()].find((name) => !known.includes(name));
  if (other === undefined) return;
  throw new Refusal('invalid_field', `unknown field '${shownText(other, 60)}'${didYouMean(other.slice(0, 60), known)}`);
}

function onlyOne(texts: Texts, name: string): string | undefined {
  const values = texts.get(name);
  if (values === undefined || values.length === 1) return values?.[0];
  throw new Refusal('invalid_field', `${name}: expected one value, got ${values.length}`);
}
