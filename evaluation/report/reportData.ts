/** @file What a report shows, in strings and numbers: the pipeline fills it, no tensor and no engine is involved. */
import type { AttributeColumn } from '#captions/metrics';
import type { ByteSource } from '#src/storage';
import type { LineChart } from '#src/tracking';
import type { MergePlanPicture } from './mergePlanPicture.js';

export interface ReportData {
  readonly title: string;
  /** ISO 8601. */
  readonly created: string;
  readonly provenance: ReportProvenance;
  /** A page to try the model on, relative to the report. */
  readonly page?: string | undefined;
  readonly summary?: ReportSummary;
  /** In the order of the stages; charts of one stage stand together. */
  readonly curves?: readonly ReportCurves[];
  readonly mergePlan?: MergePlanPicture;
  readonly results?: readonly ReportResults[];
  readonly gallery?: readonly GalleryItem[];
  readonly parameters?: readonly ParameterCount[];
  readonly hashes?: ReportHashes;
}

/** Where the numbers come from. */
export interface ReportProvenance {
  readonly engine: string;
  readonly device: string;
  /** The version of Node, such as v20.20.0. */
  readonly node: string;
  readonly processor: string;
  readonly seed: number;
  readonly commit?: string;
  readonly wallSeconds?: number;
  /** The command line that makes this report again. */
  readonly command: string;
}

export interface ReportSummary {
  readonly checks: readonly ReportCheck[];
  readonly headline: readonly HeadlineNumber[];
}

export interface ReportCheck {
  /** What must hold, such as 'every backbone tensor kept (SHA-256)'. */
  readonly label: string;
  readonly passed: boolean;
  /** What was found, such as '214 of 214'. */
  readonly detail?: string;
}

export interface HeadlineNumber {
  readonly label: string;
  /** Whole numbers get thousands separators, others three decimals; a string is shown as it is. */
  readonly value: number | string;
  readonly note?: string;
}

export interface ReportCurves extends Pick<LineChart, 'series' | 'yLabel' | 'logY' | 'xLabel'> {
  /** Such as 'vision', 'language', 'align', 'train: all'. */
  readonly stage: string;
}

/** A score, alone or with the 95 % interval of its mean; null where there was nothing to count. */
export type ReportScore = number | null | { readonly mean: number; readonly low: number; readonly high: number };

/**
 * By name: captionNll in nats per token, ciderD in [0, 10], bleu4, meteorExactStem and rougeL in [0, 1], and the attributes of
 * a probe, shares in [0, 1].
 */
export type ReportScores = Readonly<Record<string, ReportScore | undefined>>;

/** The scores of one test set: a column per score that any row has. */
export interface ReportResults {
  /** Such as 'seen' or 'held-out'. */
  readonly testSet: string;
  readonly numImages: number;
  /** What is in it, in a sentence. */
  readonly note?: string;
  /** Columns of what is known of the images. */
  readonly attributes?: readonly AttributeColumn[];
  readonly rows: readonly ReportResultRow[];
}

export interface ReportResultRow {
  /** Such as 'merged and aligned', 'shuffled images', 'blind', 'train: all'. */
  readonly name: string;
  readonly note?: string;
  /** The model's row is emphasised. */
  readonly kind: 'model' | 'control';
  readonly scores: ReportScores;
}

export interface GalleryItem {
  /** Heading that it is shown under: the name of its test set, or `failures`, which come last. */
  readonly group: string;
  /** PNG or JPEG, its bytes or where they are; embedded as it is. Undefined when it can no longer be read. */
  readonly image: Uint8Array | string | ByteSource | undefined;
  readonly reference: readonly string[];
  readonly generated: string;
  /** Whether the caption is true; absent where only references are known, which a true caption need not repeat. */
  readonly correct?: boolean;
  readonly note?: string;
  /** The words of `generated`, shown in its stead: right, wrong, or neither. */
  readonly marks?: readonly { readonly word: string; readonly ok?: boolean }[];
}

export interface ParameterCount {
  /** Such as 'vision backbone' or 'bridges on text query'. */
  readonly component: string;
  readonly trained: number;
  readonly frozen: number;
}

/** Tensors of the backbones inside the aligned model, against those that went in. */
export interface ReportHashes {
  readonly tensors: readonly HashedTensor[];
}

export interface HashedTensor {
  readonly name: string;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Whether the same tensor has the same bytes in the result. */
  readonly kept: boolean;
}
