import type { Answer } from './messages.js';

/** Seconds that a result took, and its log probability. */
export function costLine({ seconds, logProb }: Extract<Answer, { kind: 'done' }>): string {
  return `${seconds.toFixed(2)} s; log p ${logProb.toFixed(2).replace('-', '\u2212')} nats`;
}
