import { Decoding } from '#language';
import { parseConfig } from '#src/config';
import type { DecodingOptions } from '../decodingOptions.js';

/** @throws ConfigError with one line per key that does not belong to the method or has a value it cannot have */
export function decodingOf(options: DecodingOptions): Decoding {
  return parseConfig({ method: 'greedy', ...options }, Decoding, 'decoding');
}
