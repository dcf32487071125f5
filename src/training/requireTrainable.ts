import { ConfigError } from '#src/errors';
import type { TrainingRun } from './runTraining.js';

/**
 * Refuses a configuration whose model cannot be trained as it asks.
 *
 * @throws ConfigError when it asks for growth or for prefixes, and the model can have none
 */
export function requireTrainable({
  config,
  growth,
  oldRows,
}: Pick<TrainingRun, 'config' | 'growth' | 'oldRows'>): void {
  const { stages, learningRates, nested } = config;
  if (stages && !growth) {
    throw new ConfigError(
      'training.stages: expected none: only vision and language backbones grow while they are trained',
    );
  }
  if (nested && !growth?.byTokens) {
    throw new ConfigError(
      'training.nested: expected none: only vision and language TokenFormers are trained by prefixes of their parameter tokens',
    );
  }
  if (learningRates?.some(({ tokens }) => tokens !== undefined)) {
    if (!stages && !oldRows) {
      throw new ConfigError(
        "training.learningRates: 'tokens' tells those before a growth from those since; expected training.stages or initFrom with it",
      );
    }
    if (growth?.byTokens === false) {
      throw new ConfigError(
        "training.learningRates: 'tokens' is of parameter tokens, which a standard Transformer does not have; expected names",
      );
    }
  }
}
