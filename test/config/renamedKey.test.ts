import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseConfig, renamedKey } from '#src/config';
import { userErrorLine } from '../support/thrown.js';

describe('renamedKey', () => {
  const schema = renamedKey('vision', 'backbone', z.strictObject({ backbone: z.int(), labels: z.string() }));

  it('takes the key under both names', () => {
    const parsed = { backbone: 3, labels: 'none' };
    expect(parseConfig({ vision: 3, labels: 'none' }, schema, 'model.json')).toEqual(parsed);
    expect(parseConfig(parsed, schema, 'model.json')).toEqual(parsed);
  });

  it('refuses both at once, as any key that is not known', () => {
    const both = { vision: 3, backbone: 3, labels: 'none' };
    expect(userErrorLine(() => parseConfig(both, schema, 'model.json'))).toContain("'vision'");
  });
});
