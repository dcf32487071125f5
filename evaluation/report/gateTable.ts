import { formatMetric, html, htmlTable, type SafeHtml } from '#src/tracking';

/** What gates let through, a row each; nothing for a model without any. */
export function gateTable(gates: Readonly<Record<string, readonly number[]>>): SafeHtml | undefined {
  const entries = Object.entries(gates);
  if (entries.length === 0) return undefined;
  const heads = Math.max(...entries.map(([, shares]) => shares.length));
  const labels = Array.from({ length: heads }, (_, head) => (heads === 1 ? 'tanh(gate)' : `head ${head}`));
  const table = htmlTable(
    [{ label: 'gate' }, ...labels.map((label) => ({ label, numeric: true }))],
    entries.map(([name, shares]) => ({
      cells: [
        { content: name },
        ...labels.map((_, i) => ({ content: i < shares.length ? formatMetric(shares[i]) : '' })),
      ],
    })),
  );
  return html`<p>tanh of each gate: the share that it lets through, 0 where it is closed.</p>${table}`;
}
