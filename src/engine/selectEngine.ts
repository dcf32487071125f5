import { ConfigError, didYouMean } from '#src/errors';
import { ENGINES } from './engines.js';
import { requirePrecision } from './matmulPrecision.js';
import { ENGINE_NAMES, type Engine, type EngineInfo, type EngineName, type EngineOptions } from './shared/index.js';

/**
 * Makes an engine the current one, for all tensors created from now on. `auto` takes the first that works; the
 * reason names those passed over, `doctor` says why. Tensors of an engine selected before stay on it.
 *
 * @throws ConfigError for a name that is none, for a named engine that cannot work here, with what to install, and for a
 * precision that the engine does not have
 */
export async function selectEngine(request: 'auto' | EngineName, options: EngineOptions = {}): Promise<EngineInfo> {
  const info = request === 'auto' ? await firstThatWorks(options) : await named(request, options);
  const { matmulPrecision: precision = 'highest' } = options;
  return precision === 'highest' ? info : { ...info, matmulPrecision: requirePrecision(precision, info.name) };
}

async function named(request: EngineName, options: EngineOptions): Promise<EngineInfo> {
  if (!ENGINE_NAMES.includes(request)) {
    const names = ['auto', ...ENGINE_NAMES];
    throw new ConfigError(`engine: expected one of ${names.join(', ')}, got '${request}'${didYouMean(request, names)}`);
  }
  const result = await tryEngine(ENGINES[request], 'asked for', options);
  if ('device' in result) return result;
  throw new ConfigError(
    `engine '${request}' does not work here: ${result.why}; ${result.install}, or let 'auto' choose`,
  );
}

/** The line a command prints about its engine: name, device, precision, why. */
export function describeEngine({ name, device, why, matmulPrecision }: EngineInfo): string {
  return `engine ${name} on ${device}${matmulPrecision ? `, training in ${matmulPrecision}` : ''} (${why})`;
}

async function firstThatWorks(options: EngineOptions): Promise<EngineInfo> {
  const passedOver: string[] = [];
  for (const name of ENGINE_NAMES) {
    const why = name === ENGINE_NAMES[0] ? 'first choice' : `no ${ENGINE_NAMES.slice(0, passedOver.length).join(', ')}`;
    const result = await tryEngine(ENGINES[name], why, options);
    if ('device' in result) return result;
    passedOver.push(`${name}: ${result.why}`);
  }
  throw new ConfigError(`engine 'auto': no engine works here: ${passedOver.join('; ')}`);
}

async function tryEngine(
  engine: Engine,
  why: string,
  options: EngineOptions,
): Promise<EngineInfo | { why: string; install: string }> {
  const probe = await engine.probe(options);
  if (!probe.available) return probe;
  try {
    return { name: engine.name, why, ...(await engine.activate(options)) };
  } catch (error) {
    // A setting that is wrong is no reason to take another engine.
    if (error instanceof ConfigError) throw error;
    return {
      why: (error as Error).message.split('\n')[0],
      install: 'run `tokenfuse doctor` to see which engines work',
    };
  }
}
