import type { GeneratedCaption } from '#fusion';
import type { Decoding, GeneratedText } from '#language';

/** How likely a caption of a picture is: log p(caption | picture) in nats. */
export interface CaptionScore {
  readonly caption: string;
  /** Σ_t log p(token_t | picture, earlier tokens), its end among them. */
  readonly logProb: number;
  /** Predicted tokens, its end among them. */
  readonly numTokens: number;
  readonly words: readonly { readonly word: string; readonly logProb: number }[];
  /** Of the end alone. */
  readonly endLogProb: number;
}

/** What an engine does: one setting for a batch, an item and a result for each of its members. */
export interface Works {
  readonly caption: {
    readonly setting: Decoding;
    /** `pixels`: RGB bytes [imageSize, imageSize, 3]; `imageId` names the random stream of draws. */
    readonly item: { readonly pixels: Uint8Array; readonly imageId: number };
    readonly result: readonly GeneratedCaption[];
  };
  readonly score: {
    readonly setting: null;
    readonly item: { readonly pixels: Uint8Array; readonly captions: readonly string[] };
    readonly result: readonly CaptionScore[];
  };
  readonly embed: {
    readonly setting: null;
    readonly item: { readonly pixels: Uint8Array };
    readonly result: Float32Array;
  };
  readonly generate: {
    readonly setting: Decoding;
    readonly item: { readonly prompt: string };
    readonly result: readonly GeneratedText[];
  };
}
export type WorkName = keyof Works;

/** Items that an engine works on together. */
export interface Batch<Name extends WorkName> {
  readonly work: Name;
  readonly setting: Works[Name]['setting'];
  readonly items: readonly Works[Name]['item'][];
}
export type AnyBatch = { [Name in WorkName]: Batch<Name> }[WorkName];

/** The result of an item, or why it has none although others of its batch may. */
export type Outcome<Result> = { readonly result: Result } | { readonly refusal: string };

/** What an engine made of a batch, and what it holds since. */
export interface BatchAnswer {
  readonly outcomes: readonly Outcome<Works[WorkName]['result']>[];
  readonly tensors: number;
  readonly tensorBytes: number;
}
