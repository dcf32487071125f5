/** What a group of keys or a list itself holds under a key, not what its prototype does. */
export function ownValue(level: unknown, key: PropertyKey): unknown {
  return typeof level === 'object' && level !== null && Object.hasOwn(level, key)
    ? (level as Record<PropertyKey, unknown>)[key]
    : undefined;
}
