/** @file What a layer needs to know of groups that another process holds; `src/remote` asks for them. */
import type { tf } from '#src/engine';
import type { PattentionMath } from './config.js';

/** Sizes of a group. */
export interface GroupSizes {
  readonly numParamTokens: number;
  readonly dIn: number;
  readonly dOut: number;
}

/** A group whose parameter tokens another process holds. */
export interface RemoteGroup extends GroupSizes {
  /** `block0/attention/query/language` */
  readonly path: string;
  readonly source: RemoteSource;
}

/** A sum over groups, Σ_g Θ_g(x K_gᵀ) V_g, to be computed where they are. */
export interface RemoteSum {
  /** [tokens, dIn] */
  readonly x: tf.Tensor2D;
  /** At least one. `linear`: Θ is the identity. */
  readonly groups: readonly { readonly path: string; readonly linear: boolean }[];
  readonly dOut: number;
}

/** Sums that are under way. */
export interface PendingSums {
  /** Waits for them: [tokens, dOut] each; undefined where they are given up, so that the groups of this process are all there are. */
  read(): tf.Tensor2D[] | undefined;
}

/** Another process that holds groups. */
export interface RemoteSource {
  /** Sizes of the group at a path; undefined where it is not held there. */
  find(path: string): GroupSizes | undefined;
  /** Asks for sums, all in one request. @throws Error inside a gradient */
  request(sums: readonly RemoteSum[], math: PattentionMath): PendingSums;
}
