/** Tables kept; a model has one for training and one for each length it generates at. */
const KEPT_TABLES = 16;

/** `rotaryTable` that computes every setting once. */
export function rotaryTables(): typeof rotaryTable {
  const tables = new Map<string, Float32Array>();
  return (...setting) => {
    const key = setting.join();
    const table = tables.get(key) ?? rotaryTable(...setting);
    if (!tables.has(key)) {
      if (tables.size === KEPT_TABLES) tables.clear();
      tables.set(key, table);
    }
    return table;
  };
}

/** [2, seqLen, half]: cosines and, times the direction, sines of (startPosition + t) · base^(−i/half) in float32. */
export function rotaryTable(
  seqLen: number,
  half: number,
  startPosition: number,
  base: number,
  direction: 1 | -1,
): Float32Array {
  const count = seqLen * half;
  const table = new Float32Array(2 * count);
  for (let t = 0; t < seqLen; t++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround((startPosition + t) * base ** (-i / half));
      table[t * half + i] = Math.cos(angle);
      table[count + t * half + i] = direction * Math.sin(angle);
    }
  }
  return table;
}
