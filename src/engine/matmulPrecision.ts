import { ConfigError } from '#src/errors';
import { ENGINES, engineAtWork } from './engines.js';
import type { Bf16Support, EngineInfo, EngineName, MatmulPrecision } from './shared/index.js';

/**
 * How an engine would compute products in bf16.
 *
 * @throws ConfigError where it has none, rather than train in another precision
 */
export function requireBf16(engine: EngineName): NonNullable<EngineInfo['matmulPrecision']> {
  return bf16Or(ENGINES[engine].matmulPrecision?.support() ?? { missing: `engine ${engine}` });
}

/**
 * Runs `work`, which must be synchronous, with large products in that precision; afterwards they are float32 again.
 *
 * @throws ConfigError for bf16 on an engine or a machine without it
 */
export function atMatmulPrecision<T>(precision: MatmulPrecision, work: () => T): T {
  if (precision === 'highest') return work();
  const control = engineAtWork()?.matmulPrecision;
  bf16Or(control?.support() ?? { missing: 'another engine' });
  control?.set(precision);
  try {
    return work();
  } finally {
    control?.set('highest');
  }
}

function bf16Or(support: Bf16Support): NonNullable<EngineInfo['matmulPrecision']> {
  if ('by' in support) return support.by === 'emulation' ? 'bf16 emulated' : `bf16 by ${support.by}`;
  const engines = Object.values(ENGINES).flatMap(({ name, matmulPrecision: control }) =>
    control === undefined ? [] : [`engine ${name} on ${control.needs}`],
  );
  throw new ConfigError(
    `matmulPrecision 'bf16': expected ${engines.join(' or ')}, got: ${support.missing}; ` +
      "set training.matmulPrecision to 'highest', or train on a machine where `tokenfuse doctor` shows bf16",
  );
}
