import type { JointModelConfig } from '#fusion';
import type { AnyLanguageModelConfig, Decoding, Encoding } from '#language';
import type { StoredWeights } from './weights/index.js';

/** A picture that comes with a page. */
export interface SiteExample {
  /** Its file, relative to the page: a PNG of the pixels that the model reads. */
  readonly file: string;
  readonly name: string;
  /** What people wrote of it; empty where nothing is known. */
  readonly references: readonly string[];
}

/** What the stored weights lose against those of the checkpoint. */
export interface PrecisionLoss {
  readonly precision: StoredWeights['precision'];
  /** Largest change of a logit on drawn inputs, and the largest magnitude of a logit there. */
  readonly logits: { readonly change: number; readonly largest: number };
  /** Share of the drawn positions where the likeliest token is still the same. */
  readonly sameToken: number;
  /** On given pairs: images, nats per token of their captions, CIDEr-D of greedy captions. */
  readonly captions?: {
    readonly images: number;
    readonly nll: Change;
    readonly ciderD: Change;
    /** Images whose caption is still the same, word for word. */
    readonly sameCaptions: number;
  };
}

/** Of the checkpoint's weights, and of those stored. */
export interface Change {
  readonly before: number;
  readonly after: number;
}

/** A model as a page has it: the checkpoint's own configuration. */
export type SiteModel =
  | { readonly kind: 'fusion'; readonly config: JointModelConfig }
  | { readonly kind: 'language'; readonly config: AnyLanguageModelConfig };

/** model.json of a page: all that it knows besides the bytes of its weights. */
export interface SiteManifest {
  readonly format: 1;
  /** The version that wrote it. */
  readonly tokenfuse: string;
  readonly title: string;
  readonly model: SiteModel;
  readonly encoding: Encoding;
  readonly weights: StoredWeights;
  readonly decoding: Decoding;
  readonly examples: readonly SiteExample[];
  /** Texts to begin with, for a model of text. */
  readonly prompts: readonly string[];
  readonly loss: PrecisionLoss;
  readonly parameters: number;
}
