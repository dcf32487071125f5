import { renderTable } from '#src/cli';
import { ConfigError } from '#src/errors';
import { addedParameters, fusionParameters } from '../jointConfig.js';
import type { JointModel } from '../jointModel.js';
import { isLanguageTensor } from '../unmerge.js';
import type { AlignExperiment } from './alignConfig.js';

/**
 * Makes exactly the parameters that an alignment names trainable.
 *
 * @throws ConfigError when a word names a backbone, or nothing
 */
export function setTrainable({ tree, config }: JointModel, train: AlignExperiment['train']): void {
  if (train === 'all') {
    tree.setTrainable(() => true);
    return;
  }
  const isFusionParameter = fusionParameters(config);
  const wanted = (name: string): boolean =>
    train === 'bridge' ? isFusionParameter(name) : train.some((part) => name.includes(part));
  const own = tree.names().filter(isFusionParameter);
  if (own.length === 0) {
    throw new ConfigError(
      `train: expected bridge groups or gates in the model, got none; merge with bridge.tokens above 0`,
    );
  }
  const backbone = tree.names().find((name) => wanted(name) && !isFusionParameter(name));
  if (backbone !== undefined) {
    throw new ConfigError(
      `train: '${backbone}' belongs to a backbone, which stays frozen; name bridge groups, or say 'train: all' for the upper bound`,
    );
  }
  const idle = train === 'bridge' ? undefined : train.find((part) => !own.some((name) => name.includes(part)));
  if (idle !== undefined) {
    const { groups, gates } = addedParameters(config);
    const known = [...new Set([...groups.map(({ group }) => group), ...gates.keys()])];
    throw new ConfigError(
      `train: expected words that names of bridge groups or gates contain, as they stand ('*' is no wildcard), got '${idle}'; this model has ${known.join(', ')}, such as '${own[0]}'`,
    );
  }
  tree.setTrainable(wanted);
}

/** Counts trainable and frozen parameters, in total and by component. */
export function countParameters({ tree, config }: JointModel): { table: string; trainable: number; frozen: number } {
  const isFusionParameter = fusionParameters(config);
  const { gates } = addedParameters(config);
  const componentOf = (name: string): string =>
    isFusionParameter(name)
      ? gates.has(name)
        ? 'gates'
        : (name.split('/').at(-2) as string)
      : isLanguageTensor(name)
        ? 'language backbone'
        : 'vision backbone';
  const counts = new Map<string, { trainable: number; frozen: number }>();
  for (const name of tree.names()) {
    const entry = counts.get(componentOf(name)) ?? { trainable: 0, frozen: 0 };
    entry[tree.isTrainable(name) ? 'trainable' : 'frozen'] += tree.variable(name).size;
    counts.set(componentOf(name), entry);
  }
  const total = (key: 'trainable' | 'frozen'): number =>
    [...counts.values()].reduce((sum, entry) => sum + entry[key], 0);
  const [trainable, frozen] = [total('trainable'), total('frozen')];
  const format = (n: number): string => n.toLocaleString('en-US');
  const rows = [...counts, ['total', { trainable, frozen }] as const].map(([component, count]) => [
    component,
    format(count.trainable),
    format(count.frozen),
  ]);
  return { table: renderTable(['component', 'trainable', 'frozen'], rows), trainable, frozen };
}
