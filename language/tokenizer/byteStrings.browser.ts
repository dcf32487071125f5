/** @file As byteStrings.ts, without Node's Buffer, which is faster. */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export function utf8Bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

export function byteStringOf(text: string): string {
  let string = '';
  for (const byte of encoder.encode(text)) string += String.fromCharCode(byte);
  return string;
}

export function textOf(byteString: string): string {
  return decoder.decode(Uint8Array.from(byteString, (character) => character.charCodeAt(0)));
}
