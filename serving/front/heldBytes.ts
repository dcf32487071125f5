import { Refusal } from './refusal.js';

/** What the bodies of requests take up together. */
export interface HeldBytes {
  readonly total: number;
  /** The share of one request, which it gives back at its end. */
  open(): HeldShare;
}

export interface HeldShare {
  /** Counts bytes that have come: memory is taken for those, never for what is announced. @throws Refusal */
  add(bytes: number): void;
  release(): void;
}

/** @param most of one request; @param mostOfAll of all of them */
export function createHeldBytes(most: number, mostOfAll: number): HeldBytes {
  let total = 0;
  return {
    get total() {
      return total;
    },
    open: () => {
      let own = 0;
      return {
        add: (bytes) => {
          if (own + bytes > most)
            throw new Refusal('too_large', `expected at most ${most} bytes in a request, got more`);
          if (total + bytes > mostOfAll) throw new Refusal('overloaded', 'busy with other requests; try again');
          own += bytes;
          total += bytes;
        },
        release: () => {
          total -= own;
          own = 0;
        },
      };
    },
  };
}
