import { existsSync, renameSync, rmSync } from 'node:fs';
import { LANGUAGE_GROUP, loadCheckpointTokenizer, TOKENIZER_FILE } from '#language';
import { ConfigError } from '#src/errors';
import type { HostTensor } from '#src/storage';
import { type Checkpoint, holdsSameCheckpoint, readModel, writeCheckpoint } from '#src/training';
import { fusionParameters } from './jointConfig.js';
import { JOINT_KIND } from './jointKind.js';
import { hashesOf, mergedHashes, refuseChanged } from './mergeReport.js';

/** What an unmerge did. */
export interface Unmerged {
  /** Tensors that were compared with the hashes of the merge; null for a model without a merge report. */
  readonly compared: number | null;
}

/** True for tensors that came from the language backbone; the other backbone tensors came from the vision backbone. */
export function isLanguageTensor(name: string): boolean {
  return `/${name}`.includes(`/${LANGUAGE_GROUP}/`);
}

/**
 * Splits a merged checkpoint into its two backbones, bit-equal to the inputs of the merge, which their hashes in the merge report
 * prove. A backbone that is in its folder already, as after an interruption, stays.
 *
 * @throws ConfigError when something else is in one of the folders
 * @throws UserError when a backbone tensor is not the one that was merged
 */
export function unmerge(directory: string, visionDir: string, languageDir: string): Unmerged {
  const { config, tensors, assets } = readModel(directory, JOINT_KIND);
  loadCheckpointTokenizer(directory, config.language).dispose();
  const merged = mergedHashes(directory);
  if (merged) refuseChanged(directory, hashesOf(tensors, config), merged);
  const isFusionParameter = fusionParameters(config);
  const backbone = (wanted: (name: string) => boolean): Map<string, HostTensor> =>
    new Map([...tensors].filter(([name]) => !isFusionParameter(name) && wanted(name)));
  const { tokenizer } = config.language;
  const tokenizerBytes = tokenizer.kind === 'bpe' ? assets.get(tokenizer.path) : undefined;
  publishTogether([
    {
      outDir: visionDir,
      checkpoint: {
        model: { kind: 'vision', config: config.vision },
        tensors: backbone((name) => !isLanguageTensor(name)),
        assets: new Map(),
      },
    },
    {
      outDir: languageDir,
      checkpoint: {
        model: {
          kind: 'language',
          config: {
            ...config.language,
            tokenizer: tokenizer.kind === 'bpe' ? { kind: 'bpe', path: TOKENIZER_FILE } : tokenizer,
          },
        },
        tensors: backbone(isLanguageTensor),
        assets: new Map(tokenizerBytes ? [[TOKENIZER_FILE, tokenizerBytes]] : []),
      },
    },
  ]);
  return { compared: merged?.size ?? null };
}

/** Writes all checkpoints aside, then puts them in place; none when one of the places holds something else. */
function publishTogether(outputs: readonly { readonly outDir: string; readonly checkpoint: Checkpoint }[]): void {
  const staged = outputs.map(({ outDir, checkpoint }) => ({
    outDir,
    checkpoint,
    aside: `${outDir}.${process.pid}.unmerge`,
  }));
  try {
    for (const { aside, checkpoint } of staged) {
      rmSync(aside, { recursive: true, force: true });
      writeCheckpoint(aside, checkpoint);
    }
    const missing = staged.filter(({ outDir, aside }) => {
      if (!existsSync(outDir)) return true;
      if (holdsSameCheckpoint(outDir, aside)) return false;
      throw new ConfigError(`${outDir}: exists already; expected a new folder for a backbone`);
    });
    for (const { outDir, aside } of missing) renameSync(aside, outDir);
  } finally {
    for (const { aside } of staged) rmSync(aside, { recursive: true, force: true });
  }
}
