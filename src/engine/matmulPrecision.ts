import { ConfigError } from '#src/errors';
import type { EngineInfo, EngineName, MatmulPrecision } from './engine.js';
import { type Bf16Support, nativeAtWork, nativeBf16 } from './native/index.js';

/**
 * Whose products in bf16 an engine would train with.
 *
 * @throws ConfigError where it has none: training would go on in another precision than asked for
 */
export async function requireBf16(engine: EngineName): Promise<NonNullable<EngineInfo['matmulPrecision']>> {
  return bf16Or(engine === 'native' ? await nativeBf16() : { missing: `engine ${engine}` });
}

/**
 * Runs `work`, which must not wait for anything, with the large products of that precision; afterwards they are float32 again.
 *
 * @throws ConfigError for bf16 on an engine or a processor without it
 */
export function atMatmulPrecision<T>(precision: MatmulPrecision, work: () => T): T {
  if (precision === 'highest') return work();
  const native = nativeAtWork();
  bf16Or(native?.bf16Support() ?? { missing: 'another engine' });
  native?.setNativeMatmulPrecision(precision);
  try {
    return work();
  } finally {
    native?.setNativeMatmulPrecision('highest');
  }
}

function bf16Or(support: Bf16Support): NonNullable<EngineInfo['matmulPrecision']> {
  if ('by' in support) return support.by === 'emulation' ? 'bf16 emulated' : `bf16 by ${support.by}`;
  throw new ConfigError(
    `matmulPrecision 'bf16': expected engine native on a processor with AVX512-BF16, got: ${support.missing}; ` +
      "set training.matmulPrecision to 'highest', or train on a machine where `tokenfuse doctor` shows bf16",
  );
}
