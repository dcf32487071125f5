import { z } from 'zod';
import { definitionOf, innermost } from './schemaAt.js';

/** A schema's type in plain words: `integer from 1`, `mean or classToken`, `list of text`. */
export function typeWords(schema: z.core.$ZodType): string {
  const words = choices(schema);
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`;
}

/** The values or types that a schema takes, one or several. */
function choices(schema: z.core.$ZodType): string[] {
  const inner = innermost(schema);
  const { type, element, items, options, entries, values, valueType } = definitionOf(inner);
  switch (type) {
    case 'string':
      return ['text'];
    case 'boolean':
      return ['true', 'false'];
    case 'number':
      return [numberWords(inner)];
    case 'enum':
      return Object.values(entries ?? {}).map(String);
    case 'literal':
      return (values ?? []).map(String);
    case 'array':
      return [`list of ${element ? typeWords(element).replace(/^(integer|number|group)\b/, '$1s') : 'values'}`];
    case 'tuple':
      return [`list of ${items?.length} × ${items ? typeWords(items[0]) : ''}`];
    case 'record':
      return [valueType ? `${typeWords(valueType)}, by name` : 'values by name'];
    case 'union':
      return [...new Set((options ?? []).flatMap(choices))];
    default:
      return ['group'];
  }
}

/** `integer from 1 to 3`, `number above 0, below 1`. */
function numberWords(schema: z.core.$ZodType): string {
  const { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = z.toJSONSchema(schema);
  const isInteger = type === 'integer';
  const above = bound(exclusiveMinimum);
  const from = isInteger && above !== undefined ? above + 1 : bound(minimum);
  const to = bound(maximum);
  const below = bound(exclusiveMaximum);
  const lower = from !== undefined ? ` from ${from}` : above !== undefined ? ` above ${above}` : '';
  const upper =
    to !== undefined ? `${from === undefined ? ' up' : ''} to ${to}` : below !== undefined ? `, below ${below}` : '';
  return `${isInteger ? 'integer' : 'number'}${lower}${upper}`;
}

/** A bound that a schema sets itself: that of all safe integers says nothing. */
function bound(value: number | boolean | undefined): number | undefined {
  return typeof value !== 'number' || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? undefined : value;
}
