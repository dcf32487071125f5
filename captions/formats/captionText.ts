import { z } from 'zod';
import { describeValue } from '#src/config';
import { UserError } from '#src/errors';
import { textLines } from '#src/storage';

/** What every format expects where it has a caption. */
const A_CAPTION = 'a caption with at least one word (remove it)';

/** Whether a text says nothing: it is empty, or only white space and invisible characters. */
export function isBlank(text: string): boolean {
  return !/[^\s\p{Cc}\p{Cf}]/u.test(text);
}

/** A caption in JSON. */
export const CaptionText = z
  .string({ error: ({ input }) => (input === undefined || input === null ? A_CAPTION : 'a string') })
  .refine((text) => !isBlank(text), A_CAPTION)
  .transform((text) => text.trim());

/** The caption of a line, trimmed. @param where file, line and field @throws UserError when it is blank */
export function captionOf(text: string, where: string): string {
  if (isBlank(text)) throw new UserError(`${where}: expected ${A_CAPTION}, got ${describeValue(text.trim())}`);
  return text.trim();
}

/** The lines of a text that are not blank, trimmed; each is one caption. @throws UserError when there is none */
export function captionLines(text: string, where: string): string[] {
  const lines = textLines(text)
    .filter((line) => !isBlank(line))
    .map((line) => line.trim());
  if (lines.length === 0) throw new UserError(`${where}: expected ${A_CAPTION}, got an empty file`);
  return lines;
}

/** The first line that is not blank, by which a format is recognized; '' when there is none. */
export function firstLine(text: string): string {
  const start = text.search(/[^\s]/);
  if (start < 0) return '';
  const lineEnd = /[\r\n]/g;
  lineEnd.lastIndex = start;
  const lineStart = 1 + Math.max(text.lastIndexOf('\n', start), text.lastIndexOf('\r', start));
  return text.slice(lineStart, lineEnd.exec(text)?.index ?? text.length);
}
