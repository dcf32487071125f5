import { writeFileAtomic } from '#src/storage';
import { html, htmlPage, lineChartSvg, type PageSection, type SafeHtml } from '#src/tracking';
import { captionGallery, captionGalleryStyles } from './captionGallery.js';
import { mergePlanFigure, mergePlanStyles } from './mergePlanFigure.js';
import { hashList, parameterTable, parameterTablesStyles } from './parameterTables.js';
import { provenanceList, readableTime } from './provenance.js';
import type { ReportCurves, ReportData } from './reportData.js';
import { resultsTables } from './resultsTable.js';
import { summaryBoard, summaryBoardStyles } from './summaryBoard.js';

/**
 * Writes the report of a finished pipeline as one HTML file that needs no network and no other file: what is absent
 * from the data is left out.
 *
 * @throws UserError when a gallery image cannot be embedded, or the disk refuses; the file is then as it was before
 */
export function writeReport(path: string, data: ReportData): void {
  writeFileAtomic(path, reportHtml(data));
}

/** The report as text. @throws UserError when a gallery image cannot be embedded */
export function reportHtml(data: ReportData): string {
  const { summary, mergePlan, results, curves, gallery, parameters, hashes } = data;
  const sections: (PageSection | undefined)[] = [
    summary && summary.checks.length + summary.headline.length > 0
      ? { id: 'summary', title: 'Summary', body: summaryBoard(summary) }
      : undefined,
    mergePlan?.layers.length ? { id: 'merge', title: 'The merge', body: mergePlanFigure(mergePlan) } : undefined,
    results?.length ? { id: 'results', title: 'Results', body: resultsTables(results) } : undefined,
    gallery?.length ? { id: 'gallery', title: 'Captions', body: captionGallery(gallery) } : undefined,
    curves?.length ? { id: 'curves', title: 'Training', body: curveCards(curves) } : undefined,
    parameters?.length || hashes
      ? {
          id: 'parameters',
          title: 'Parameters',
          body: html`${parameters?.length ? parameterTable(parameters) : undefined}${hashes && hashList(hashes)}`,
        }
      : undefined,
    { id: 'provenance', title: 'Provenance', body: provenanceList(data.provenance) },
  ];
  return htmlPage({
    title: data.title,
    lead: html`<p class="muted">Made by tokenfuse, <time datetime="${data.created}">${readableTime(data.created)}</time></p>${
      data.page !== undefined && html`<p><a href="${data.page}">Try the model in this browser</a></p>`
    }`,
    sections: sections.filter((section) => section !== undefined),
    styles: html`${mergePlanStyles}${summaryBoardStyles}${captionGalleryStyles}${parameterTablesStyles}`,
  });
}

function curveCards(curves: readonly ReportCurves[]): SafeHtml {
  const stages = [...new Set(curves.map(({ stage }) => stage))];
  const ordered = stages.flatMap((stage) => curves.filter((chart) => chart.stage === stage));
  const cards = ordered.map((chart) => html`<div class="card"><h3>${chart.stage}</h3>${lineChartSvg(chart)}</div>\n`);
  // Two or four stand in pairs, others in threes.
  const pairs = cards.length === 2 || cards.length === 4;
  return html`<div class="charts${pairs && ' pairs'}">${cards}</div>`;
}
