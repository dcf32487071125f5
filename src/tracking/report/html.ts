declare const ESCAPED: unique symbol;

/** Escaped markup. Only `html` creates it, so plain strings cannot be mistaken for it. */
export interface SafeHtml {
  readonly markup: string;
  readonly [ESCAPED]: true;
}

/** Values allowed in an `html` template: strings and numbers are escaped, lists are joined, absent values add nothing. */
export type HtmlPart = SafeHtml | string | number | null | undefined | false | readonly HtmlPart[];

/**
 * A template tag for HTML and SVG: literal parts are kept, interpolated values are escaped unless they come from `html`.
 * Attribute values must be quoted in the template.
 */
export function html(literals: TemplateStringsArray, ...parts: readonly HtmlPart[]): SafeHtml {
  let markup = literals[0];
  for (let i = 0; i < parts.length; i++) markup += markupOf(parts[i]) + literals[i + 1];
  return { markup } as SafeHtml;
}

function markupOf(part: HtmlPart): string {
  if (part === null || part === undefined || part === false) return '';
  if (typeof part === 'string' || typeof part === 'number') return escapeText(String(part));
  if ('markup' in part) return part.markup;
  return part.map(markupOf).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text escaped for use between tags and in quoted attributes; characters that documents must not contain become U+FFFD. */
function escapeText(text: string): string {
  return text.replace(UNPRINTABLE, '\uFFFD').replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** Control characters except tab, line feed and carriage return; what overrides the direction of the text around it. */
const UNPRINTABLE = /[^\P{Cc}\t\n\r]|[\u202A-\u202E\u2066-\u2069]/gu;
