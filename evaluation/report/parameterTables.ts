import { formatCount, formatShare, html, htmlTable, type SafeHtml } from '#src/tracking';
import type { ParameterCount, ReportHashes } from './reportData.js';

/** Which components alignment trained and which it left alone, with totals. */
export function parameterTable(counts: readonly ParameterCount[]): SafeHtml {
  const trained = counts.reduce((sum, count) => sum + count.trained, 0);
  const frozen = counts.reduce((sum, count) => sum + count.frozen, 0);
  const share = (ofTrained: number, ofFrozen: number) => formatShare(ofTrained / Math.max(1, ofTrained + ofFrozen));
  const cells = (name: string, ofTrained: number, ofFrozen: number) => [
    { content: name },
    { content: formatCount(ofTrained) },
    { content: formatCount(ofFrozen) },
    { content: share(ofTrained, ofFrozen) },
  ];
  return htmlTable(
    [
      { label: 'component' },
      { label: 'trained', numeric: true },
      { label: 'frozen', numeric: true },
      { label: 'share trained', numeric: true },
    ],
    [
      ...counts.map((count) => ({ cells: cells(count.component, count.trained, count.frozen) })),
      { cells: cells('total', trained, frozen), total: true },
    ],
  );
}

const SHOWN_DIGITS = 12;

/** How many backbone tensors kept their bytes, those that did not by name, and the list of all. */
export function hashList({ tensors }: ReportHashes): SafeHtml {
  const changed = tensors.filter(({ kept }) => !kept);
  const verdict = changed.length === 0 ? 'passed' : 'failed';
  const count = `${formatCount(tensors.length - changed.length)} of ${formatCount(tensors.length)}`;
  return html`<p class="hashes"><span class="badge ${verdict}">${count}</span> backbone tensors have the same SHA-256 before and after.</p>
${changed.length > 0 && html`<p>Changed: ${changed.map(({ name }, i) => html`${i > 0 && ', '}<code>${name}</code>`)}</p>`}
<details><summary>The hashes, their first ${SHOWN_DIGITS} digits</summary><ul class="hash-list">${tensors.map(({ name, sha256, kept }) => html`<li><code>${sha256.slice(0, SHOWN_DIGITS)}</code> <code${!kept && html` class="wrong"`}>${name}</code></li>\n`)}</ul></details>`;
}

export const parameterTablesStyles = html`
.hashes { margin-top: 16px; }
.hash-list { margin: 8px 0 0; padding: 0; list-style: none; columns: 420px; column-gap: 24px; }
.hash-list li { break-inside: avoid; overflow-wrap: anywhere; }
.hash-list code:first-child { color: var(--muted); }
`;
