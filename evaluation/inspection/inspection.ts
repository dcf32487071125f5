/** @file What an inspection found, as `inspection.json` holds it. */

/** The name of the file. */
export const INSPECTION = 'inspection.json';

/**
 * Whose tokens used a group: `image`: image tokens in the vision blocks; `reading`: image tokens as text layers read them;
 * `text`: text tokens.
 */
export type Stream = 'image' | 'reading' | 'text';

export interface Inspection {
  readonly format: 1;
  readonly model: InspectedModelInfo;
  /** Null: the parameters alone were inspected. */
  readonly data: { readonly images: DataInfo | null; readonly texts: DataInfo | null } | null;
  readonly settings: InspectionSettings;
  /** Every group of parameter tokens of the model, in the order of its blocks. */
  readonly groups: readonly InspectedGroup[];
  /** Null for a model with one backbone, and where no layer has keys of both. */
  readonly similarity: KeySimilarity | null;
  /** Null for a model without bridges, and without data. */
  readonly bridges: readonly BridgeFlow[] | null;
  /** The images that contexts name. */
  readonly images: readonly { readonly index: number; readonly name: string }[];
  /** The texts that contexts name, cut into tokens; `image` is what the text was read with. */
  readonly texts: readonly {
    readonly index: number;
    readonly image: number | null;
    readonly tokens: readonly string[];
  }[];
}

export interface InspectedModelInfo {
  /** Its folder, without the folders above. */
  readonly name: string;
  readonly kind: 'vision' | 'language' | 'fusion';
  /** Of a merged model. */
  readonly method: string | null;
  /** SHA-256 of the checkpoint's manifest; null where it has none. */
  readonly manifest: string | null;
  /** Patches on a side of an image; null for a model without images. */
  readonly patchGrid: number | null;
}

export interface DataInfo {
  readonly source: string;
  /** Images or texts read. */
  readonly count: number;
}

export interface InspectionSettings {
  /** Most images, texts or pairs. */
  readonly limit: number;
  /** Contexts kept of a parameter token. */
  readonly contexts: number;
  /** A parameter token is dead if its largest use is at most this share of the mean use of its layer's tokens. */
  readonly deadShare: number;
}

/** A group of parameter tokens; each list has an entry per parameter token. */
export interface InspectedGroup {
  /** `block0/attention/query/language`: its parameters are `<path>/keyParamTokens`, … */
  readonly path: string;
  /** Null for a layer outside of the blocks. */
  readonly block: number | null;
  /** `query`, `key`, `value`, `output`, `ffn`, or the path of a layer outside of the blocks. */
  readonly layer: string;
  readonly group: string;
  readonly numParamTokens: number;
  readonly dIn: number;
  readonly dOut: number;
  readonly tau: number;
  /** ‖K_i‖₂ */
  readonly keyNorms: readonly number[];
  /** ‖V_i‖₂ */
  readonly valueNorms: readonly number[];
  /** One per stream that used it. */
  readonly uses: readonly GroupUse[];
}

/** How tokens of one stream used a group. The use of parameter token i by a token x is u_i(x) = |S_i(x)| ‖V_i‖₂ |tanh gate|. */
export interface GroupUse {
  readonly stream: Stream;
  /** Tokens that counted. */
  readonly rows: number;
  /** Share of the sum of mean uses over all groups of the layer in this stream. */
  readonly shareOfLayer: number;
  /** Mean use of a parameter token of the layer, all its groups together: what use is relative to. */
  readonly layerMean: number;
  /** Parameter tokens that are never used above the dead share of `layerMean`. */
  readonly dead: readonly number[];
  /** (Σ_i u_i)² / Σ_i u_i² of the mean uses: how many parameter tokens share the work. */
  readonly effective: number;
  /** The same of a single token's uses, mean over tokens: how many work at once. */
  readonly effectiveAtOnce: number;
  /** Mean u_i over tokens. */
  readonly use: readonly number[];
  /** Largest u_i. */
  readonly largest: readonly number[];
  /** Mean |S_i|. */
  readonly weight: readonly number[];
  /** Mean A_i². */
  readonly squaredScore: readonly number[];
  /** Parameter tokens by mean use, relative to `layerMean`. */
  readonly tokensByUse: OctaveHistogram;
  /** Single uses u_i(x) of all tokens and parameter tokens, by length. */
  readonly singleUses: OctaveHistogram;
  /** The tokens that used each parameter token most, at most one of an image or a text, the largest first. */
  readonly contexts: readonly (readonly UseContext[])[];
}

/** How many values lie in [2^first · 2^k, 2^first · 2^(k+1)) for each k. */
export interface OctaveHistogram {
  readonly zeros: number;
  readonly first: number;
  readonly counts: readonly number[];
}

/**
 * [item, position, use] or [item, position, use, patch]: the index of an image or a text (−1: every image, for what reads positions
 * alone), the patch (−1: the class token) or the place of the token in the text, u, and, for text that reads an image, the patch it
 * attends to most there.
 */
export type UseContext = readonly [item: number, position: number, use: number, patch?: number];

/** How alike the keys of both backbones are, layer by layer. */
export interface KeySimilarity {
  /** Random permutations that chance is measured by. */
  readonly draws: number;
  /** Most keys of a group that were compared, evenly spaced. */
  readonly mostKeys: number;
  readonly layers: readonly LayerSimilarity[];
  /** The most similar pairs of all layers. */
  readonly pairs: readonly SimilarPair[];
}

export interface LayerSimilarity {
  readonly block: number;
  readonly layer: string;
  readonly visionKeys: number;
  readonly languageKeys: number;
  /** Mean over vision keys of the cosine with the most similar language key. */
  readonly best: number;
  /** The same with the vision keys' coordinates permuted and their signs flipped at random. */
  readonly chance: { readonly mean: number; readonly low: number; readonly high: number };
  /** Larger than in every draw. */
  readonly aboveChance: boolean;
}

export interface SimilarPair {
  readonly block: number;
  readonly layer: string;
  readonly visionToken: number;
  readonly languageToken: number;
  readonly cosine: number;
}

/** What a bridge group connects. */
export interface BridgeFlow {
  /** Of the group. */
  readonly path: string;
  readonly stream: Stream;
  readonly shareOfLayer: number;
  /** The parameter tokens that write most, the first of all. */
  readonly tokens: readonly BridgeToken[];
}

export interface BridgeToken {
  readonly token: number;
  /** Mean u_i. */
  readonly use: number;
  /** Of its group's use. */
  readonly share: number;
  /** For a group that reads image tokens: the words it reaches most, by Σ_p a_p u_i(x_p) with a_p a word's attention to patch p. */
  readonly words: readonly UseContext[];
}
