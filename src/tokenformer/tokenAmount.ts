/** Some of the parameter tokens of each group: a number of them, or a share of the group's. */
export type TokenAmount = { readonly count: number } | { readonly share: number };

/** The forms of `parseTokenAmount`, for messages. */
export const AMOUNT_FORMS = 'a number of parameter tokens (64) or a share of each group (25%)';

/** Reads `64` or `25%`; undefined for anything else, for 0 and for more than all. */
export function parseTokenAmount(text: string): TokenAmount | undefined {
  const [, digits, percent] = /^(\d{1,9}(?:\.\d{1,9})?)(%?)$/.exec(text) ?? [];
  const value = Number(digits);
  if (!(value > 0)) return undefined;
  if (percent === '%') return value > 100 ? undefined : { share: value / 100 };
  return Number.isInteger(value) ? { count: value } : undefined;
}

/** How many of a group of n: the number, or the share rounded up; at most n. */
export function tokensIn(amount: TokenAmount, numParamTokens: number): number {
  const wanted = 'count' in amount ? amount.count : Math.ceil(amount.share * numParamTokens);
  return Math.min(wanted, numParamTokens);
}
