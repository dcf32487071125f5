import { createHash } from 'node:crypto';
import { type HtmlPart, html, type SafeHtml } from './html.js';
import { pageStyles } from './pageStyles.js';

export interface PageSection {
  /** The anchor; letters, digits and hyphens. */
  readonly id: string;
  readonly title: string;
  readonly body: SafeHtml;
}

export interface Page {
  readonly title: string;
  /** Shown under the title. */
  readonly lead?: HtmlPart;
  readonly sections: readonly PageSection[];
  readonly footer?: HtmlPart;
  /** Further style rules, literal in the caller's code. */
  readonly styles?: SafeHtml;
  /** A script, literal in the caller's code; it runs when the page has loaded, and no other script is allowed. */
  readonly script?: SafeHtml;
  /** Whether the script may ask the server that the page comes from; no request at all unless given. */
  readonly connects?: boolean;
}

/**
 * A self-contained HTML page: inline styles, system fonts, light or dark by the reader's setting, readable from a width of
 * 320 pixels. Its content security policy blocks all requests, but those of a script that `connects`.
 */
export function htmlPage({ title, lead, sections, footer, styles, script, connects = false }: Page): string {
  const scripts = script && ` script-src 'sha256-${createHash('sha256').update(script.markup).digest('base64')}';`;
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline';${scripts ?? ''}${connects ? " connect-src 'self';" : ''} base-uri 'none'; form-action 'none'`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${pageStyles}${styles}</style>
</head>
<body>
<header><h1>${title}</h1>${lead}${
    sections.length > 1 &&
    html`<nav>${sections.map(({ id, title: name }) => html`<a href="#${id}">${name}</a> `)}</nav>`
  }</header>
<main>
${sections.map(({ id, title: name, body }) => html`<section id="${id}"><h2>${name}</h2>\n${body}</section>\n`)}</main>
${footer !== undefined && html`<footer>${footer}</footer>`}
${script && html`<script>${script}</script>`}
</body>
</html>
`.markup;
}
