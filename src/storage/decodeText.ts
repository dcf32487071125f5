import { UserError } from '#src/errors';

/** Bytes as UTF-8 text. @param where the file that they come from, for the error message */
export function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return decode(bytes);
  } catch {
    throw new UserError(`${where}: ${firstFault(bytes)}`);
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

function firstFault(bytes: Uint8Array): string {
  let start = 0;
  for (let line = 1; start <= bytes.length; line++) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed;
    try {
      decode(bytes.subarray(start, end));
    } catch {
      return `line ${line}: expected UTF-8 text, got other bytes; save the file as UTF-8`;
    }
    start = end + 1;
  }
  return `expected less text in one file, got ${bytes.length} bytes; split the file`;
}
