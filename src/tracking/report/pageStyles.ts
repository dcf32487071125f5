import { html } from './html.js';

/** The look of every report page; colours are custom properties, which the drawings use too. */
export const pageStyles = html`
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1c2330; --muted: #5b6472; --line: #dde2ea; --bar-fill: #7ea2ea;
  --accent: #1d4ed8; --good: #047857; --good-tint: #e3f5ec; --bad: #b91c1c; --bad-tint: #fdeaea; --row: #eef3fd;
  --series1: #2563eb; --series2: #c2570c; --series3: #047857; --series4: #a21caf; --series5: #b91c1c; --series6: #475569;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10141b; --card: #181e28; --ink: #e6eaf1; --muted: #9aa5b5; --line: #2c3544; --bar-fill: #5b86d6;
    --accent: #8ab4ff; --good: #4ade9f; --good-tint: #12352a; --bad: #ff8f8f; --bad-tint: #42191c; --row: #1c2940;
    --series1: #7aa8ff; --series2: #f5a35c; --series3: #4ade9f; --series4: #e08bf0; --series5: #ff8f8f; --series6: #a3b1c6;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 1280px; margin: 0 auto; padding: 0 16px; }
header { padding-top: 28px; }
footer { padding-bottom: 40px; color: var(--muted); font-size: 14px; }
h1 { margin: 0 0 4px; font-size: clamp(24px, 4vw, 34px); line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 40px 0 12px; font-size: 22px; line-height: 1.25; }
h3 { margin: 24px 0 8px; font-size: 17px; }
h3:first-child { margin-top: 0; }
p { margin: 0 0 12px; max-width: 75ch; overflow-wrap: anywhere; }
a { color: var(--accent); }
small, .muted { color: var(--muted); font-size: 13px; }
nav { display: flex; flex-wrap: wrap; gap: 2px 18px; margin-top: 12px; font-size: 14px; }
code { font: 13px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; }
.charts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); }
.charts.pairs { grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.charts .card { min-width: 0; }
.charts h3 { margin-bottom: 4px; }
.chart { display: block; width: 100%; height: auto; max-width: 500px; }
.chart .hover:hover { fill-opacity: 1; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 8px; text-align: left; vertical-align: baseline; font-weight: 400; }
thead th { color: var(--muted); font-size: 13px; line-height: 1.25; white-space: nowrap; }
tbody th, tbody td { border-top: 1px solid var(--line); }
th:first-child { position: sticky; left: 0; z-index: 1; background: var(--card); }
th small, td small { display: block; line-height: 1.3; }
.scroll + p { margin-top: 10px; }
.number { text-align: right; white-space: nowrap; }
.bar { display: block; height: 3px; margin: 1px 0 2px; border-radius: 2px; background: linear-gradient(to right, var(--bar-fill) var(--bar), var(--line) 0); }
th:first-child { min-width: 120px; }
.emphasised th, .emphasised td { font-weight: 650; background-color: var(--row); }
.emphasised small { font-weight: 400; }
.total th, .total td { border-top: 2px solid var(--muted); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin-top: 12px; }
summary { cursor: pointer; }
@media (max-width: 600px) {
  body { font-size: 15px; }
  h2 { margin-top: 32px; }
  .card { padding: 12px; }
  th, td { padding: 6px 9px; }
}
@media print { .card, .scroll { break-inside: avoid; } nav { display: none; } }
`;
