import { formatDuration, html, htmlPage, htmlTable, type SafeHtml } from '#src/tracking';
import type { ComparedRun } from '../compare/index.js';
import { curveCards, curveStyles, type RunGroup, shownNumber } from '../compare/index.js';

/** What the page is sent when something has changed. */
export interface WatchUpdate {
  readonly status: string;
  readonly curves: string;
}

/** The page that shows a run as it goes on; what it shows comes as `WatchUpdate`s. */
export function watchPage(folder: string): string {
  return htmlPage({
    title: `tokenfuse: ${folder}`,
    lead: html`<p class="muted" id="connection">connecting …</p>`,
    sections: [
      { id: 'status', title: 'Now', body: html`<div id="status-body"></div>` },
      { id: 'curves', title: 'Curves', body: html`<div id="curves-body"></div>` },
    ],
    styles: curveStyles,
    script,
    connects: true,
  });
}

/** Puts updates in; the reader's choice of axes stays. */
const script = html`
const byId = (id) => document.getElementById(id);
const source = new EventSource('events');
source.onopen = () => { byId('connection').textContent = 'connected'; };
source.onerror = () => { byId('connection').textContent = 'no connection; trying again'; };
source.onmessage = ({ data }) => {
  const { status, curves } = JSON.parse(data);
  const chosen = [...document.querySelectorAll('.axes input:checked')].map(({ name, value }) => [name, value]);
  byId('status-body').innerHTML = status;
  byId('curves-body').innerHTML = curves;
  for (const [name, value] of chosen) {
    const input = document.getElementsByName(name);
    for (const each of input) if (each.value === value) each.checked = true;
  }
  byId('connection').textContent = 'connected; last change at ' + new Date().toLocaleTimeString();
};
`;

/** What there is to show now. */
export function watchUpdate(groups: readonly RunGroup[], problems: readonly string[]): WatchUpdate {
  const runs = groups.flatMap((group) => group.runs);
  const status = html`${runs.length === 0 && html`<p>No run yet.</p>`}${runs.length > 0 && statusTable(runs)}${problems.map((line) => html`<p class="muted">${line}</p>`)}`;
  const curves = html`${groups.map((group) => html`${groups.length > 1 && html`<h3>${group.kind}</h3>`}${curveCards(group)}`)}`;
  return { status: status.markup, curves: curves.markup };
}

function statusTable(runs: readonly ComparedRun[]): SafeHtml {
  const numeric = ['step', 'loss', 'best', 'last', 'seconds a step', 'left'];
  return htmlTable(
    [{ label: 'run' }, { label: 'state' }, ...numeric.map((label) => ({ label, numeric: true }))],
    runs.map((run) => {
      const { summary, series } = run;
      const pace = secondsAStep(run);
      const left = summary.step === null || summary.steps === null ? undefined : summary.steps - summary.step;
      return {
        cells: [
          { content: run.label, note: summary.path },
          { content: summary.state, ...(summary.note !== null && { note: summary.note }) },
          { content: `${summary.step ?? '–'}${summary.steps === null ? '' : ` of ${summary.steps}`}` },
          { content: shownNumber(series.get('train/loss')?.at(-1)?.[1] ?? null) },
          {
            content: shownNumber(summary.best),
            ...(summary.bestStep !== null && { note: `at step ${summary.bestStep}` }),
          },
          { content: shownNumber(summary.last), ...(summary.metric !== null && { note: summary.metric }) },
          { content: shownNumber(pace ?? null) },
          {
            content:
              summary.state !== 'running' || pace === undefined || left === undefined
                ? '–'
                : formatDuration(left * pace),
          },
        ],
      };
    }),
  );
}

/** The mean over the last steps that were timed. */
function secondsAStep({ timing }: ComparedRun): number | undefined {
  const last = timing.slice(-20).flatMap(({ values }) => values.stepSeconds ?? []);
  return last.length === 0 ? undefined : last.reduce((sum, seconds) => sum + seconds, 0) / last.length;
}
