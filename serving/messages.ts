import type { MessagePort } from 'node:worker_threads';
import type { ServedDescription, ServeSettings } from './settings.js';
import type { AnyBatch, BatchAnswer } from './works.js';

/** What the thread that speaks HTTP starts with. */
export interface FrontData {
  readonly settings: ServeSettings;
  readonly description: ServedDescription;
  readonly port: MessagePort;
}

/** From the thread that speaks HTTP to the one with the engine. */
export type FrontMessage =
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'refused'; readonly message: string; readonly exitCode: 1 | 2 }
  | { readonly kind: 'batch'; readonly batch: AnyBatch }
  | { readonly kind: 'closed'; readonly counts: ServeCounts };

/** The other way. */
export type EngineMessage =
  | { readonly kind: 'answer'; readonly answer: BatchAnswer }
  | { readonly kind: 'unusable'; readonly message: string }
  | { readonly kind: 'failed' }
  | { readonly kind: 'close'; readonly graceMs: number };

/** What a server did. */
export interface ServeCounts {
  /** Requests that got what they asked for. */
  readonly answered: number;
  /** Requests that did not, and those that were broken off. */
  readonly refused: number;
}
