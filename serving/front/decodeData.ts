import type { DecodeSettings } from '#vision';

/** What the thread that decodes starts with. */
export type DecodeData = DecodeSettings;

export interface DecodeRequest {
  readonly id: number;
  readonly bytes: Uint8Array;
}

export type DecodeReply =
  | { readonly id: number; readonly pixels: Uint8Array }
  | { readonly id: number; readonly reason: string };
