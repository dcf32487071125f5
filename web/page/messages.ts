import type { TracedWord } from '#evaluation/traces';
import type { Decoding } from '#language';
import type { EngineName, EngineOptions } from '#src/engine';
import type { SiteManifest } from '../manifest.js';

/** What the page asks of its worker; answers bear the id of what they answer. */
export type Request =
  | {
      readonly kind: 'open';
      readonly manifest: SiteManifest;
      /** Contents of the files that `manifest.weights` names. */
      readonly shards: readonly Uint8Array[];
      readonly engine: 'auto' | EngineName;
      readonly options: EngineOptions;
    }
  | {
      readonly kind: 'caption';
      readonly id: number;
      /** RGB, [imageSize, imageSize, 3] */
      readonly pixels: Uint8Array;
      readonly bridge: boolean;
    }
  | { readonly kind: 'continue'; readonly id: number; readonly prompt: string; readonly decoding: Decoding };

/** What the worker says. */
export type Answer =
  | { readonly kind: 'ready'; readonly engine: string; readonly seconds: number }
  | { readonly kind: 'progress'; readonly id: number; readonly text: string }
  | {
      readonly kind: 'done';
      readonly id: number;
      readonly text: string;
      readonly logProb: number;
      readonly seconds: number;
    }
  /** Words of a caption; undefined for a fusion method that cannot tell. */
  | { readonly kind: 'trace'; readonly id: number; readonly words: readonly TracedWord[] | undefined }
  | { readonly kind: 'failed'; readonly message: string };
