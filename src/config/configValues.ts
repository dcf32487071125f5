/** A value of a configuration. */
export type ConfigValue = string | number | boolean | null;

/** No configuration has lists or objects so deep inside one another. */
const MAX_DEPTH = 24;

/** Every value of a configuration by its path, `training.steps`; empty lists and objects as `[]` and `{}`. */
export function configValues(config: object): Map<string, ConfigValue> {
  const values = new Map<string, ConfigValue>();
  const visit = (value: unknown, path: string, depth: number): void => {
    if (typeof value !== 'object' || value === null) {
      values.set(path, value as ConfigValue);
      return;
    }
    const entries = Object.entries(value);
    if (entries.length === 0) values.set(path, Array.isArray(value) ? '[]' : '{}');
    else if (depth >= MAX_DEPTH) values.set(path, '…');
    else for (const [key, entry] of entries) visit(entry, path === '' ? key : `${path}.${key}`, depth + 1);
  };
  visit(config, '', 0);
  return values;
}
