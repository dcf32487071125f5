import { ANY_LANGUAGE_KIND, LANGUAGE_STACK } from '#language';
import { ConfigError } from '#src/errors';
import type { GrowthConfig } from '#src/stacks';
import { type HostTensor, sha256 } from '#src/storage';
import { type GrownModelFile, growModel } from '#src/training';
import { ANY_VISION_KIND, VISION_STACK } from '#vision';
import { fusionParameters, type JointModelConfig } from './jointConfig.js';
import { JOINT_KIND } from './jointKind.js';
import type { MergeReport, RecordedGrowth, TensorProvenance } from './mergeReport.js';
import { fusionMethod } from './methods/index.js';
import { isLanguageTensor } from './unmerge.js';

type HostTensors = ReadonlyMap<string, HostTensor>;

/**
 * Grows one backbone inside a merged model. Bridges and the other backbone keep their bytes.
 *
 * @throws ConfigError for a growth that the way of joining does not allow
 */
export function growJointModel(
  { config, tensors }: { readonly config: JointModelConfig; readonly tensors: HostTensors },
  name: 'vision' | 'language',
  growth: GrowthConfig,
  seed: number,
): GrownModelFile<JointModelConfig> {
  const { method } = config.fusion;
  if (growth.layers !== undefined) {
    throw new ConfigError(
      'layers: expected none for a merged model, whose bridges belong to its blocks; grow the backbone, then merge',
    );
  }
  if (growth.policy === 'group' && fusionMethod(method).backboneGroups === 'union') {
    throw new ConfigError(
      `policy: a group of its own has no norm of its own under the fusion method '${method}', so it would change the function; use preserve`,
    );
  }
  const part = growBackbone({ config, tensors }, name, growth, seed);
  const grown: JointModelConfig = { ...config, [name]: part.config };
  const all = new Map([...tensors, ...part.tensors]);
  const ordered = [...JOINT_KIND.parameters(grown).keys()].map((key) => [key, all.get(key) as HostTensor] as const);
  return { config: grown, tensors: new Map(ordered), moments: part.moments };
}

function growBackbone(
  { config, tensors }: { readonly config: JointModelConfig; readonly tensors: HostTensors },
  name: 'vision' | 'language',
  growth: GrowthConfig,
  seed: number,
): GrownModelFile<unknown> {
  return name === 'vision'
    ? growModel(ANY_VISION_KIND, VISION_STACK, { config: config.vision, tensors }, growth, seed)
    : growModel(ANY_LANGUAGE_KIND, LANGUAGE_STACK, { config: config.language, tensors }, growth, seed);
}

/**
 * The merge report of a grown model: its hashes are those of the grown backbone. The growth is recorded with the hashes from before;
 * where the policy keeps trained tokens, they are still those of the first rows.
 */
export function grownReport(
  report: MergeReport,
  { config, tensors }: { readonly config: JointModelConfig; readonly tensors: HostTensors },
  before: HostTensors,
  recorded: Omit<RecordedGrowth, 'before'>,
): MergeReport {
  const { backbone } = recorded;
  const isAdded = fusionParameters(config);
  const names = [...tensors.keys()].filter(
    (name) => !isAdded(name) && isLanguageTensor(name) === (backbone === 'language'),
  );
  const own = names.map((name): TensorProvenance => {
    const sha256 = hashOf(tensors, name);
    return { name, from: backbone, inputSha256: sha256, outputSha256: sha256 };
  });
  const hashes = new Map(own.map(({ name, inputSha256 }) => [name, inputSha256]));
  const changed = report.tensors.filter(
    ({ from, name, inputSha256 }) => from === backbone && hashes.get(name) !== inputSha256,
  );
  const size = (name: string): number => (name.endsWith('/tau') ? 0 : (tensors.get(name)?.values.length ?? 0));
  const others = report.tensors.filter(({ from }) => from !== backbone);
  return {
    ...report,
    parameters: { ...report.parameters, [backbone]: names.reduce((sum, name) => sum + size(name), 0) },
    tensors: backbone === 'vision' ? [...own, ...others] : [...others, ...own],
    growths: [
      ...(report.growths ?? []),
      {
        ...recorded,
        before: changed.map(({ name, inputSha256 }) => ({
          name,
          rows: before.get(name)?.shape[0] ?? 1,
          sha256: inputSha256,
        })),
      },
    ],
  };
}

function hashOf(tensors: HostTensors, name: string): string {
  const { values } = tensors.get(name) as HostTensor;
  return sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}
