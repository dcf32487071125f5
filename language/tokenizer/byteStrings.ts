/** @file Texts as UTF-8, and UTF-8 as strings of one character (U+0000 to U+00FF) per byte. */

/** Lone surrogates become U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

/** The UTF-8 of a text as a string. */
export function byteStringOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** The text of UTF-8 in a string; what is not UTF-8 becomes U+FFFD. */
export function textOf(byteString: string): string {
  return Buffer.from(byteString, 'latin1').toString('utf8');
}
