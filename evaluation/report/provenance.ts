import { formatDuration, html, type SafeHtml } from '#src/tracking';
import type { ReportProvenance } from './reportData.js';

/** Where the numbers of a report come from. */
export function provenanceList(provenance: ReportProvenance): SafeHtml {
  const { command, engine, device, processor, node, seed, commit, wallSeconds } = provenance;
  const entries: [string, string | SafeHtml | undefined][] = [
    ['command', html`<code>${command}</code>`],
    ['engine', engine],
    ['device', device],
    ['processor', processor],
    ['Node', node],
    ['seed', String(seed)],
    ['commit', commit && html`<code>${commit}</code>`],
    ['wall time', wallSeconds === undefined ? undefined : formatDuration(wallSeconds)],
  ];
  const shown = entries.filter(([, value]) => value !== undefined && value !== '');
  return html`<dl class="card">${shown.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** 2026-01-31T12:30:59.123Z as 2026-01-31 12:30 UTC; other texts as they are. */
export function readableTime(iso: string): string {
  return iso.replace(/^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(:[\d.]+)?Z$/, '$1 $2 UTC');
}
