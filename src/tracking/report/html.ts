declare const ESCAPED: unique symbol;

/** Markup in which every piece of text is escaped; made by `html` alone, so that plain strings cannot pass for it. */
export interface SafeHtml {
  readonly markup: string;
  readonly [ESCAPED]: true;
}

/** What may stand in a `html` template: strings and numbers are escaped, lists are joined, absent values leave nothing. */
export type HtmlPart = SafeHtml | string | number | null | undefined | false | readonly HtmlPart[];

/**
 * A template tag for HTML and SVG: the literal parts stay, everything put in is escaped unless it came from `html`.
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

/** Text as it may stand between tags and in quoted attributes; characters that no document may hold become U+FFFD. */
function escapeText(text: string): string {
  return text.replace(UNPRINTABLE, '\uFFFD').replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** Control characters but tab, line feed and carriage return. */
const UNPRINTABLE = /[^\P{Cc}\t\n\r]/gu;
