import type { MessagePort } from 'node:worker_threads';

/** What starts the thread that talks to a server. */
export interface ExchangeSettings {
  /** `http://127.0.0.1:7331` */
  readonly url: string;
  readonly token: string | undefined;
  /** For one attempt, to connect included. */
  readonly timeoutMs: number;
  /** Further attempts after one that failed on the way. */
  readonly retries: number;
}

export interface ExchangeData extends ExchangeSettings {
  readonly port: MessagePort;
  /** Its one entry counts replies. */
  readonly replies: Int32Array;
}

/** A request to the server; the body's memory moves to the thread. */
export interface ExchangeRequest {
  readonly id: number;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: Uint8Array;
}

/** What became of a request. */
export type ExchangeReply = {
  readonly id: number;
  /** On the wire so far, all requests and headers included. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Attempts so far beyond the first ones. */
  readonly retries: number;
} & (
  | { readonly kind: 'answer'; readonly body: Uint8Array }
  /** The server said no, with its words: to ask again would not help. */
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }
  /** It did not answer, however often it was asked. */
  | { readonly kind: 'failed'; readonly message: string }
);

/** Wait before attempt n + 1, in milliseconds: 100, 200, 400 …, at most two seconds. */
export function backOff(attempt: number): number {
  return Math.min(2000, 100 * 2 ** attempt);
}

/** The longest that a request can take. */
export function longestMs({ timeoutMs, retries }: Pick<ExchangeSettings, 'timeoutMs' | 'retries'>): number {
  let total = timeoutMs;
  for (let attempt = 0; attempt < retries; attempt++) total += timeoutMs + 1.5 * backOff(attempt);
  return total;
}
