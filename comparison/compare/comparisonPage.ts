import {
  formatCount,
  formatDuration,
  html,
  htmlPage,
  htmlTable,
  type PageSection,
  type SafeHtml,
  type TableCell,
} from '#src/tracking';
import { captionSection, captionStyles } from './captionSection.js';
import type { RunGroup } from './comparedRuns.js';
import { shownNumber, shownValue } from './comparisonText.js';
import { configDifferences } from './configDifferences.js';
import { curveCards, curveStyles } from './curveCards.js';
import { type FinalNumber, finalNumbers } from './finalNumbers.js';
import type { SharedSet } from './sharedSets.js';

/** By which a page of a comparison is known. */
export const PAGE_TITLE = 'tokenfuse: runs compared';

/** A comparison as one HTML page that needs no network and no other file. */
export async function comparisonPage(
  groups: readonly RunGroup[],
  sets: readonly SharedSet[],
  problems: readonly string[],
): Promise<string> {
  const captions = await Promise.all(sets.map(captionSection));
  const sections: (PageSection | undefined)[] = [
    { id: 'runs', title: 'Runs', body: html`${groups.map(runsTable)}` },
    { id: 'differences', title: 'Configurations', body: html`${groups.map(differencesTable)}` },
    { id: 'results', title: 'Results', body: html`${groups.map(resultsTables)}` },
    ...groups.map((group): PageSection | undefined => {
      const body = curveCards(group);
      return body && { id: `curves-${group.kind}`, title: `Curves: ${group.kind}`, body };
    }),
    captions.length > 0 ? { id: 'captions', title: 'Captions', body: html`${captions}` } : undefined,
    problems.length > 0
      ? {
          id: 'problems',
          title: 'Not readable',
          body: html`<ul>${problems.map((line) => html`<li>${line}</li>`)}</ul>`,
        }
      : undefined,
  ];
  return htmlPage({
    title: PAGE_TITLE,
    lead: html`<p class="muted">${groups.map(({ kind, runs }) => `${runs.length} of kind ${kind}`).join(', ')}</p>`,
    sections: sections.filter((section) => section !== undefined),
    styles: html`${curveStyles}${captionStyles}`,
  });
}

function runsTable({ kind, runs }: RunGroup): SafeHtml {
  const columns = ['state', 'steps', 'time', 'bytes', 'seed', 'engine', 'commit'];
  return html`<h3>${kind}</h3>
${htmlTable(
  [{ label: 'run' }, ...columns.map((label) => ({ label }))],
  runs.map(({ label, summary }) => ({
    cells: [
      { content: label, note: summary.path },
      { content: summary.state, ...(summary.note !== null && { note: summary.note }) },
      ...[
        summary.step === null ? '–' : `${summary.step}${summary.steps === null ? '' : ` of ${summary.steps}`}`,
        summary.seconds === null ? '–' : formatDuration(summary.seconds),
        summary.bytes === null ? '–' : formatCount(summary.bytes),
        summary.seed ?? '–',
        summary.engine ?? '–',
        summary.commit?.slice(0, 7) ?? '–',
      ].map((content) => ({ content })),
    ],
  })),
)}
`;
}

function differencesTable(group: RunGroup): SafeHtml | undefined {
  if (group.runs.length < 2) return undefined;
  const differences = configDifferences(group);
  if (differences.length === 0) return html`<h3>${group.kind}</h3><p>All have the same configuration.</p>`;
  return html`<h3>${group.kind}</h3>
${htmlTable(
  [{ label: 'key' }, ...group.runs.map(({ label }) => ({ label }))],
  differences.map(({ key, values }) => ({ cells: [key, ...values.map(shownValue)].map((content) => ({ content })) })),
)}
`;
}

/** Runs below each other, a column for each number; scores by test set. */
function resultsTables(group: RunGroup): SafeHtml[] {
  const numbers = finalNumbers(group);
  const sets = [...new Set(numbers.map(({ set }) => set))];
  return sets.map((set) => {
    const columns = numbers.filter((number) => number.set === set);
    return html`<h3>${group.kind}${set !== undefined && `, ${set}`}</h3>
${htmlTable(
  [{ label: 'run' }, ...columns.map(({ name }) => ({ label: name, numeric: true }))],
  group.runs.map(({ label }, i) => ({
    cells: [{ content: label }, ...columns.map((column) => numberCell(column, i))],
  })),
)}
`;
  });
}

function numberCell({ values, intervals }: FinalNumber, run: number): TableCell {
  const interval = intervals?.[run];
  return {
    content: shownNumber(values[run]),
    ...(interval && { note: `${shownNumber(interval[0])} to ${shownNumber(interval[1])}` }),
  };
}
