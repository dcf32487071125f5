import { ConfigError } from '#src/errors';
import { ENGINES, engineAtWork } from './engines.js';
import type {
  Engine,
  EngineInfo,
  EngineName,
  MatmulPrecision,
  PrecisionSupport,
  ReducedPrecision,
} from './shared/index.js';

type PrecisionLabel = NonNullable<EngineInfo['matmulPrecision']>;

/** How an engine would compute products in a precision, or what is missing for it. */
export function precisionSupport(
  precision: ReducedPrecision,
  { name, matmulPrecision: control }: Engine,
): PrecisionSupport {
  if (control?.precisions.includes(precision) !== true) return { missing: `engine ${name}` };
  return control.support(precision);
}

/**
 * How an engine would compute products in a precision.
 *
 * @throws ConfigError where it has none, rather than train in another precision
 */
export function requirePrecision(precision: ReducedPrecision, engine: EngineName): PrecisionLabel {
  return labelOr(precision, precisionSupport(precision, ENGINES[engine]));
}

/**
 * Refuses a precision that no engine has on this machine.
 *
 * @throws ConfigError
 */
export function requirePrecisionSomewhere(precision: ReducedPrecision): void {
  const missing: string[] = [];
  // Processors first: asking cuda opens the card.
  const engines = enginesWith(precision).sort((a, b) => Number(a.name === 'cuda') - Number(b.name === 'cuda'));
  for (const engine of engines) {
    const support = precisionSupport(precision, engine);
    if ('by' in support) return;
    missing.push(support.missing);
  }
  labelOr(precision, { missing: missing.join(', ') });
}

/**
 * Runs `work`, which must be synchronous, with large products in that precision; afterwards they are float32 again.
 *
 * @throws ConfigError for a reduced precision on an engine or a machine without it
 */
export function atMatmulPrecision<T>(precision: MatmulPrecision, work: () => T): T {
  if (precision === 'highest') return work();
  const engine = engineAtWork();
  labelOr(precision, engine === undefined ? { missing: 'another engine' } : precisionSupport(precision, engine));
  const control = engine?.matmulPrecision;
  control?.set(precision);
  try {
    return work();
  } finally {
    control?.set('highest');
  }
}

function enginesWith(precision: ReducedPrecision): Engine[] {
  return Object.values(ENGINES).filter(({ matmulPrecision: control }) => control?.precisions.includes(precision));
}

function labelOr(precision: ReducedPrecision, support: PrecisionSupport): PrecisionLabel {
  if ('by' in support) {
    return precision === 'bf16' && support.by === 'emulation' ? 'bf16 emulated' : `${precision} by ${support.by}`;
  }
  const engines = enginesWith(precision).map(
    ({ name, matmulPrecision: control }) => `engine ${name} on ${control?.needs}`,
  );
  throw new ConfigError(
    `matmulPrecision '${precision}': expected ${engines.join(' or ')}, got: ${support.missing}; ` +
      `set training.matmulPrecision to 'highest', or train on a machine where \`tokenfuse doctor\` shows ${precision}`,
  );
}
