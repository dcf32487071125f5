import { formatCount, formatMetric, html, type SafeHtml } from '#src/tracking';
import type { HeadlineNumber, ReportSummary } from './reportData.js';

/** The headline numbers as tiles, then what had to hold and whether it does. */
export function summaryBoard({ checks, headline }: ReportSummary): SafeHtml {
  const tiles = headline.map(
    ({ label, value, note }) =>
      html`<div class="card"><span class="muted">${label}</span><b>${headlineValue(value)}</b>${note !== undefined && html`<small>${note}</small>`}</div>`,
  );
  const numPassed = checks.filter(({ passed }) => passed).length;
  const items = checks.map(
    ({ label, passed, detail }) =>
      html`<li><span class="badge ${passed ? 'passed' : 'failed'}">${passed ? '✓ passed' : '✗ failed'}</span><span>${label}${detail !== undefined && html` <span class="muted">${detail}</span>`}</span></li>\n`,
  );
  return html`${tiles.length > 0 && html`<div class="tiles">${tiles}</div>`}
${checks.length > 0 && html`<div class="card"><h3>Checks <small>${numPassed} of ${checks.length} passed</small></h3><ul class="checks">${items}</ul></div>`}`;
}

function headlineValue(value: HeadlineNumber['value']): string {
  if (typeof value === 'string') return value;
  return Number.isInteger(value) ? formatCount(value) : formatMetric(value);
}

export const summaryBoardStyles = html`
.tiles { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(155px, 1fr)); margin-bottom: 16px; }
.tiles .card { display: flex; flex-direction: column; }
.tiles .muted { font-size: 14px; line-height: 1.3; }
.tiles b { font-size: 28px; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.checks { display: grid; gap: 8px; margin: 0; padding: 0; list-style: none; }
.checks li { display: grid; grid-template-columns: max-content 1fr; gap: 10px; align-items: baseline; }
.checks .muted { font-size: 14px; }
.checks .badge { min-width: 84px; text-align: center; }
.badge { padding: 1px 8px; border-radius: 99px; font-size: 13px; font-weight: 600; white-space: nowrap; }
.passed { color: var(--good); background: var(--good-tint); }
.failed { color: var(--bad); background: var(--bad-tint); }
`;
