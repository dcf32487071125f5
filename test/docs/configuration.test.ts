import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configReference, referencePage } from '#experiments';
import type { ConfigKey } from '#src/config';

const path = resolve(import.meta.dirname, '../../docs/configuration.md');

/** Paths of keys and variants without a meaning. */
function undescribed(keys: readonly ConfigKey[], before: string): string[] {
  return keys.flatMap(({ name, meaning, keys: inside, variants }) => [
    ...(meaning === '' ? [`${before}.${name}`] : []),
    ...undescribed(inside, `${before}.${name}`),
    ...variants.flatMap((variant) => [
      ...(variant.meaning === '' ? [`${before}.${name}, ${variant.key}: ${variant.value}`] : []),
      ...undescribed(variant.keys, `${before}.${name}`),
    ]),
  ]);
}

describe.each(configReference())('kind $kind', ({ kind, keys }) => {
  it('has a meaning for every key', () => {
    expect(keys.length).toBeGreaterThan(1);
    expect(undescribed(keys, kind)).toEqual([]);
  });
});

it('docs/configuration.md is what the schemas say; TOKENFUSE_UPDATE_DOCS=1 rewrites it', () => {
  const page = referencePage(configReference());
  if (process.env.TOKENFUSE_UPDATE_DOCS === '1') writeFileSync(path, page);
  expect(readFileSync(path, 'utf8')).toBe(page);
});
