import { mergeRecipe, planRecipe, unmergeModel } from './internal/merging.js';

/** How two backbones become one model: `fusion` of a merge experiment, with its keys and defaults. */
export interface FusionSettings {
  /** The fusion method; `routed` by default. */
  readonly method?: string;
  /** The bridge groups, all that alignment trains. */
  readonly bridge?: {
    /** Parameter tokens of each bridge group; 32 by default, 0 for none. */
    readonly tokens?: number;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

/** What to merge. */
export interface MergeRecipe {
  /** A vision backbone: run directory or checkpoint folder. */
  readonly vision: string;
  /** A language backbone: run directory or checkpoint folder. */
  readonly language: string;
  /** How they are joined. */
  readonly fusion?: FusionSettings;
  /** Draws the bridge groups; 0 by default. */
  readonly seed?: number;
}

/** One parameter-token group in one layer of the merged model. */
export interface PlannedGroup {
  /** Index of the text block. */
  readonly block: number;
  /** `query`, `key`, `value`, `output`, `ffn`, or the layer that the method adds. */
  readonly layer: string;
  /** Name of the group. */
  readonly group: string;
  /** The backbone it comes from, or `bridge` for what the merge adds. */
  readonly origin: 'vision' | 'language' | 'bridge';
  /** Rows of its keys and values. */
  readonly numParamTokens: number;
  /** Width of its keys. */
  readonly dIn: number;
  /** Width of its values. */
  readonly dOut: number;
}

/** What a merge will do, known from the checkpoints' headers alone. */
export interface MergePlan {
  /** The plan as lines of text. */
  readonly description: readonly string[];
  /** Every group of every layer. */
  readonly groups: readonly PlannedGroup[];
  /** Scalar parameters by origin; `fusion`: bridge groups and gates. */
  readonly parameters: { readonly vision: number; readonly language: number; readonly fusion: number };
  /** Size of the merged model in float32, in bytes. */
  readonly bytes: number;
}

/** What a merge did. */
export interface MergeReport {
  /** Every backbone tensor: SHA-256 of its bytes before the merge and in the merged model. */
  readonly tensors: readonly {
    readonly name: string;
    readonly from: 'vision' | 'language';
    readonly inputSha256: string;
    readonly outputSha256: string;
  }[];
  /** True when all are equal. */
  readonly kept: boolean;
}

/**
 * Plans a merge, reading headers alone and no tensor.
 *
 * @throws ConfigError with one line per problem: every reason why these backbones cannot be merged so
 * @example
 * ```ts
 * const plan = planMerge({ vision: 'runs/vision', language: 'runs/language' });
 * console.log(plan.description.join('\n'));
 * ```
 */
export function planMerge(recipe: MergeRecipe): MergePlan {
  return planRecipe(recipe);
}

/**
 * Merges two backbones into a vision-language model at `directory`. Neither changes; bridge groups are silent until aligned.
 *
 * @throws ConfigError with one line per problem, or when something is at `directory` already
 * @example
 * ```ts
 * const { kept } = merge({ vision: 'runs/vision', language: 'runs/language' }, 'runs/merged');
 * ```
 */
export function merge(recipe: MergeRecipe, directory: string): MergeReport {
  return mergeRecipe(recipe, directory);
}

/**
 * Takes a merged model apart into the backbones it was made of, equal to the bit.
 *
 * @param path a run directory or a checkpoint folder
 * @throws ConfigError when something is at one of the two places already
 * @throws UserError when `path` holds no merged model
 * @example
 * ```ts
 * unmerge('runs/merged', { vision: 'runs/visionAgain', language: 'runs/languageAgain' });
 * ```
 */
export function unmerge(path: string, into: { readonly vision: string; readonly language: string }): void {
  unmergeModel(path, into);
}
