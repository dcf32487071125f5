import { LANGUAGE_GROUP, loadCheckpointTokenizer, TOKENIZER_FILE } from '#language';
import {
  draftFolder,
  type FolderDraft,
  type HostTensor,
  type OutputPlace,
  type OverwriteOptions,
  openOutputEntry,
} from '#src/storage';
import { isGroupOf } from '#src/tokenformer';
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
  return name.split('/').some((part) => isGroupOf(LANGUAGE_GROUP, part));
}

/**
 * Splits a merged checkpoint into its two backbones, bit-equal to the inputs of the merge, which their hashes in the merge report
 * prove. A backbone that is in its folder already, as after an interruption, stays.
 *
 * @throws ConfigError when something else is in one of the folders
 * @throws UserError when a backbone tensor is not the one that was merged
 */
export function unmerge(
  directory: string,
  visionDir: string,
  languageDir: string,
  options: OverwriteOptions = {},
): Unmerged {
  const { config, tensors, assets } = readModel(directory, JOINT_KIND);
  loadCheckpointTokenizer(directory, config.language).dispose();
  const merged = mergedHashes(directory);
  if (merged) refuseChanged(directory, hashesOf(tensors, config), merged);
  const isFusionParameter = fusionParameters(config);
  const backbone = (wanted: (name: string) => boolean): Map<string, HostTensor> =>
    new Map([...tensors].filter(([name]) => !isFusionParameter(name) && wanted(name)));
  const { tokenizer } = config.language;
  const tokenizerBytes = tokenizer.kind === 'bpe' ? assets.get(tokenizer.path) : undefined;
  const outputs = [
    {
      outDir: visionDir,
      checkpoint: {
        model: { kind: 'vision' as const, config: config.vision },
        tensors: backbone((name) => !isLanguageTensor(name)),
        assets: new Map(),
      },
    },
    {
      outDir: languageDir,
      checkpoint: {
        model: {
          kind: 'language' as const,
          config: {
            ...config.language,
            tokenizer: tokenizer.kind === 'bpe' ? { kind: 'bpe', path: TOKENIZER_FILE } : tokenizer,
          },
        },
        tensors: backbone(isLanguageTensor),
        assets: new Map(tokenizerBytes ? [[TOKENIZER_FILE, tokenizerBytes]] : []),
      },
    },
  ];
  publishTogether(outputs, options);
  return { compared: merged?.size ?? null };
}

interface Output {
  readonly outDir: string;
  readonly checkpoint: Checkpoint;
}

/** Writes all checkpoints aside, then puts them in place; none when one of the places holds something else. */
function publishTogether(outputs: readonly Output[], options: OverwriteOptions): void {
  const drafts: FolderDraft[] = [];
  const places: OutputPlace[] = [];
  try {
    for (const { outDir, checkpoint } of outputs) {
      const draft = draftFolder(outDir);
      drafts.push(draft);
      writeCheckpoint(draft.path, checkpoint);
      places.push(openOutputEntry(outDir, { ...options, isOwn: () => holdsSameCheckpoint(outDir, draft.path) }));
    }
    for (const [i, { continues }] of places.entries()) if (!continues) drafts[i].publish();
  } finally {
    for (const { release } of places) release();
    for (const draft of drafts) draft.discard();
  }
}
