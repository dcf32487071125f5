/** Why a request is not answered: codes that stay, and their HTTP status. */
export const REFUSALS = {
  bad_request: 400,
  invalid_field: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  too_large: 413,
  unsupported_media_type: 415,
  invalid_picture: 422,
  not_supported: 422,
  too_many_requests: 429,
  header_too_large: 431,
  failed: 500,
  overloaded: 503,
  shutting_down: 503,
  timed_out: 503,
} as const;
export type RefusalCode = keyof typeof REFUSALS;

/** Seconds after which a client may try again, where that helps. */
const RETRY_AFTER: Partial<Readonly<Record<RefusalCode, number>>> = {
  too_many_requests: 1,
  overloaded: 1,
  shutting_down: 5,
  timed_out: 5,
};

/** A request that is not answered, and why. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly retryAfter: number | undefined;
  /** By which the framework knows the status. */
  readonly statusCode: number;

  constructor(
    readonly code: RefusalCode,
    message: string,
  ) {
    super(message);
    this.retryAfter = RETRY_AFTER[code];
    this.statusCode = REFUSALS[code];
  }
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** The body of a refusal: one line of JSON. */
export function refusalBody(code: RefusalCode, message: string): string {
  return `${JSON.stringify({ error: { code, message: message.replace(/[\r\n]+/g, '; ') } })}\n`;
}

/** What the framework and its plugins refuse, as a refusal; undefined for a failure of the server itself. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (!(error instanceof Error)) return undefined;
  const { statusCode, message } = error as Error & { statusCode?: unknown };
  // multipart/form-data without a boundary, or another type where it is wanted.
  if (statusCode === 415 || statusCode === 406) return new Refusal('unsupported_media_type', message);
  if (statusCode === 413) return new Refusal('too_large', message);
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500
    ? new Refusal('bad_request', message)
    : undefined;
}
