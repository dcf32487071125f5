import { html } from '#src/tracking';

/** What a page adds to the look of every report. */
export const siteStyles = html`
header p { color: var(--muted); margin-bottom: 4px; }
#status { min-height: 1.5em; font-size: 14px; color: var(--muted); }
#status.problem { color: var(--bad); }
.columns { display: grid; gap: 16px; grid-template-columns: minmax(0, 5fr) minmax(0, 7fr); align-items: start; }
.overlay { position: relative; max-width: 420px; aspect-ratio: 1; margin: 0 auto; border: 2px dashed var(--line); border-radius: 8px; display: grid; place-items: center; overflow: hidden; }
.overlay.filled { border-style: solid; }
.overlay.filled .empty { display: none; }
.overlay.dropping { border-color: var(--accent); }
.overlay canvas { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; }
.overlay:not(.filled) canvas { visibility: hidden; }
.cells { position: absolute; inset: 0; display: grid; grid-template-columns: repeat(var(--columns), 1fr); pointer-events: none; }
.cells i { background: var(--card); opacity: 0; transition: opacity .12s; }
.actions { display: flex; flex-wrap: wrap; gap: 8px 14px; margin: 12px 0; align-items: center; }
.action { font: inherit; font-size: 15px; color: var(--accent); background: var(--card); border: 1px solid var(--accent); border-radius: 8px; padding: 7px 14px; min-height: 40px; cursor: pointer; }
.action:hover:enabled, label.action:hover { background: var(--row); }
.action:disabled { color: var(--muted); border-color: var(--line); cursor: default; }
.visually-hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
button:focus-visible, input:focus-visible, textarea:focus-visible, #file:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.actions:has(#file:focus-visible) label.action { outline: 2px solid var(--accent); outline-offset: 2px; }
#camera-panel video { display: block; width: 100%; max-width: 420px; border-radius: 8px; }
.examples { display: flex; flex-wrap: wrap; gap: 8px; }
.example { padding: 2px; background: none; border: 1px solid var(--line); border-radius: 8px; cursor: pointer; line-height: 0; }
.example:hover { border-color: var(--accent); }
.example img { width: 56px; height: 56px; object-fit: cover; border-radius: 5px; image-rendering: pixelated; }
.caption { font-size: clamp(20px, 3vw, 26px); line-height: 1.3; min-height: 1.3em; }
.caption[data-state=busy]::after, .continuation[data-state=busy]::after { content: '▍'; color: var(--accent); }
.words { display: flex; flex-wrap: wrap; gap: 6px; min-height: 40px; }
.words button { font: inherit; font-size: 15px; color: inherit; background: none; border: 1px solid var(--line); border-radius: 6px; padding: 5px 8px 6px; min-width: 34px; cursor: pointer; }
.words button[aria-pressed=true] { border-color: var(--accent); background: var(--row); }
.note { min-height: 3em; margin-top: 8px; font-size: 14px; }
.legend { font-size: 13px; }
.mix { display: flex; height: 4px; margin-top: 3px; border-radius: 2px; overflow: hidden; }
.from-vision { background: var(--series3); }
.from-language { background: var(--series6); }
.from-textBridge { background: var(--series2); }
.from-imageBridge { background: var(--series4); }
.key { white-space: nowrap; }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 4px; }
.switch { display: inline-flex; align-items: center; gap: 10px; cursor: pointer; min-height: 40px; }
.switch input { appearance: none; width: 42px; height: 24px; margin: 0; border-radius: 12px; background: var(--muted); position: relative; cursor: pointer; transition: background .12s; }
.switch input::before { content: ''; position: absolute; left: 3px; top: 3px; width: 18px; height: 18px; border-radius: 50%; background: var(--card); transition: left .12s; }
.switch input:checked { background: var(--accent); }
.switch input:checked::before { left: 21px; }
footer { margin-top: 24px; }
#both { margin-bottom: 12px; }
textarea { display: block; width: 100%; margin-top: 6px; padding: 10px; font: inherit; color: inherit; background: var(--page); border: 1px solid var(--muted); border-radius: 8px; resize: vertical; }
.continuation { margin-top: 16px; max-width: none; white-space: pre-wrap; font-size: 18px; min-height: 6em; }
.given { color: var(--muted); }
@media (max-width: 760px) {
  .columns { grid-template-columns: minmax(0, 1fr); }
  .overlay { max-width: 300px; }
  dl { grid-template-columns: minmax(0, 1fr); }
  dd { margin-bottom: 6px; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`;
