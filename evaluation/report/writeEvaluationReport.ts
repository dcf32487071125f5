import { createRandom } from '#src/random';
import { writeFileAtomic } from '#src/storage';
import {
  formatCount,
  formatMetric,
  formatShare,
  html,
  htmlPage,
  imageDataUri,
  type PageSection,
  type SafeHtml,
} from '#src/tracking';
import type { EvaluationResult } from '../evaluate.js';
import type { EvaluateExperiment } from '../evaluateConfig.js';
import { type CaptionSample, type EvaluatedSet, ROWS } from '../evaluation.js';
import { captionGalleryStyles, galleryCards } from './captionGallery.js';
import { drawnTokensStyles, drawnTokenTables } from './drawnTokens.js';
import { evaluationResults } from './evaluationResults.js';
import { evaluationScript } from './evaluationScript.js';
import { gateTable } from './gateTable.js';
import { imageTable, imageTableStyles } from './imageTable.js';
import { lengthCalibration, lengthCalibrationStyles } from './lengthCalibration.js';
import { likelihoodTables } from './likelihoodTables.js';
import { provenanceList, readableTime } from './provenance.js';
import type { ReportProvenance } from './reportData.js';
import { resultsTables } from './resultsTable.js';
import { scoreDistributions, scoreDistributionsStyles } from './scoreDistributions.js';
import { modelView, thumbnailIfReadable } from './thumbnail.js';
import { attentionExamples, groupShareTables, type TraceExample, wordTracesStyles } from './wordTraces.js';

export interface EvaluationReport {
  readonly title: string;
  /** ISO 8601. */
  readonly created: string;
  readonly provenance: ReportProvenance;
  readonly result: EvaluationResult;
  readonly experiment: Pick<EvaluateExperiment, 'seed' | 'report'>;
}

/**
 * Writes the report of an evaluation as one HTML file that needs no network and no other file.
 *
 * @throws UserError when the disk refuses; the file is then as it was before
 */
export async function writeEvaluationReport(path: string, report: EvaluationReport): Promise<void> {
  writeFileAtomic(path, await evaluationReportHtml(report));
}

/** The report as text; an image that can no longer be read is named as such. */
export async function evaluationReportHtml(report: EvaluationReport): Promise<string> {
  const { title, created, provenance, result, experiment } = report;
  const { sets } = result;
  const examples = await traceExamples(result, experiment.report.examples);
  const words = result.traces.sets.flatMap(({ captions }) => captions.flatMap((caption) => caption.words));
  const numTraced = result.traces.sets.reduce((sum, { captions }) => sum + captions.length, 0);
  const gates = gateTable(result.gates ?? {});
  const galleries: SafeHtml[] = [];
  for (const [i, set] of sets.entries()) {
    const cards = await setGalleries(set, experiment);
    galleries.push(html`<details${i === 0 && html` open`}><summary>${set.name}</summary>${cards}</details>\n`);
  }
  const sections: (PageSection | undefined)[] = [
    {
      id: 'scores',
      title: 'Scores',
      body: html`<p>Under each score its 95 % interval, by bootstrap over images. A model has shown that it uses its images when it stands clear of every control.</p>
${rowNotes(sets)}${trainingNote(result)}${resultsTables(sets.map((set) => evaluationResults(set, result.probe)))}${warnings(sets)}`,
    },
    { id: 'likelihood', title: 'Likelihood', body: likelihoodTables(sets, result.probe) },
    {
      id: 'distributions',
      title: 'Distributions',
      body: html`<p>Images by score; the dot is the score of the set, the line its 95 % interval.</p>${sets.map((set) => html`<h3>${set.name}</h3>${scoreDistributions(set)}`)}`,
    },
    {
      id: 'lengths',
      title: 'Lengths and variety',
      body: html`<div class="diagnostics">${sets.map((set) => html`<div class="card"><h3>${set.name}</h3>${lengthCalibration(set)}${variety(set)}</div>`)}</div>`,
    },
    experiment.report.gallery > 0 ? { id: 'captions', title: 'Captions', body: html`${galleries}` } : undefined,
    examples.length > 0
      ? { id: 'attention', title: 'Words and patches', body: attentionExamples(examples) }
      : undefined,
    words.length > 0
      ? {
          id: 'tokens',
          title: 'Words and parameter tokens',
          body: html`${groupShareTables(words, numTraced)}${drawnTokenTables(result.traces.parameterTokens)}`,
        }
      : undefined,
    gates && { id: 'gates', title: 'Gates', body: gates },
    { id: 'images', title: 'Every image', body: html`${sets.map((set, i) => imageTable(set, i === 0))}` },
    {
      id: 'provenance',
      title: 'Provenance',
      body: html`${provenanceList(provenance)}<p class="muted">Decoding: <code>${JSON.stringify(result.decoding)}</code></p>`,
    },
  ];
  return htmlPage({
    title,
    lead: html`<p class="muted">Made by tokenfuse, <time datetime="${created}">${readableTime(created)}</time></p>`,
    sections: sections.filter((section) => section !== undefined),
    styles: html`${captionGalleryStyles}${scoreDistributionsStyles}${lengthCalibrationStyles}${wordTracesStyles}${drawnTokensStyles}${imageTableStyles}${rowNotesStyles}`,
    script: evaluationScript,
  });
}

/** What each row that is there shows. */
function rowNotes(sets: readonly EvaluatedSet[]): SafeHtml {
  const names = new Set(sets.flatMap(({ rows }) => rows.map(({ name }) => name)));
  const shown = Object.values(ROWS).filter(({ name }) => names.has(name));
  return html`<dl class="card row-notes">${shown.map(({ name, note }) => html`<dt>${name}</dt><dd>${note}</dd>`)}</dl>`;
}

/** How many pairs the controls from training captions saw. */
function trainingNote({ trainingPairs }: EvaluationResult): SafeHtml | undefined {
  if (trainingPairs === undefined) return undefined;
  return html`<p class="muted">Nearest neighbour and constants come from ${formatCount(trainingPairs)} training pairs.</p>`;
}

/** As many of each set as of the others, in the order in which captions were traced, which is random. */
async function traceExamples({ sets, traces, vision }: EvaluationResult, examples: number): Promise<TraceExample[]> {
  const perSet = Math.ceil(examples / sets.length);
  const chosen = traces.sets.flatMap(({ set, captions }) =>
    captions
      .filter(({ words }) => words.length > 0)
      .slice(0, perSet)
      .map((caption) => ({ set, caption })),
  );
  return Promise.all(
    chosen.slice(0, examples).map(async ({ set, caption }) => {
      const sample = (sets.find(({ name }) => name === set) as EvaluatedSet).samples[caption.position];
      const view = await modelView(sample.image, vision);
      return {
        uri: view && imageDataUri(view).uri,
        words: caption.words,
        reference: sample.references[0],
        note: scoreNote(sample, set),
      };
    }),
  );
}

/** The captions with the highest and the lowest CIDEr-D (of equal ones the likelier first), and some drawn at random. */
async function setGalleries(
  { name, samples }: EvaluatedSet,
  { seed, report: { gallery } }: EvaluationReport['experiment'],
): Promise<SafeHtml> {
  const ranked = [...samples].sort((a, b) => b.ciderD - a.ciderD || a.captionNll - b.captionNll);
  const kinds: readonly [string, CaptionSample[]][] = [
    ['best', ranked.slice(0, gallery)],
    ['worst', ranked.slice(-gallery).reverse()],
    ['random', createRandom(seed, 'gallery', name).shuffled(samples).slice(0, gallery)],
  ];
  const cards = await Promise.all(
    kinds.map(async ([kind, chosen]) => {
      const items = await Promise.all(
        chosen.map(async (sample) => ({
          image: await thumbnailIfReadable(sample.image),
          reference: sample.references.slice(0, 2),
          generated: sample.generated,
          correct: sample.exact ?? undefined,
          note: scoreNote(sample),
        })),
      );
      return html`<h3>${kind} <small>${kind === 'random' ? 'drawn, not chosen' : 'by CIDEr-D'}</small></h3>${galleryCards(items)}`;
    }),
  );
  return html`${cards}`;
}

function scoreNote({ ciderD, captionNll }: CaptionSample, set?: string): string {
  return `${set === undefined ? '' : `${set}, `}CIDEr-D ${formatMetric(ciderD)}, NLL ${formatMetric(captionNll)}`;
}

function warnings(sets: readonly EvaluatedSet[]): SafeHtml | undefined {
  const lines = sets.flatMap(({ name, diagnostics }) => diagnostics.warnings.map((warning) => `${name}: ${warning}`));
  if (lines.length === 0) return undefined;
  return html`<div class="card"><h3>Where these scores mislead</h3><ul>${lines.map((line) => html`<li>${line}</li>`)}</ul></div>`;
}

function variety({ diagnostics, numImages }: EvaluatedSet): SafeHtml {
  const { distinct1, distinct2, vocabularySize, numDuplicates, numEmpty, novelShare } = diagnostics;
  const entries: [string, string][] = [
    ['different words', String(vocabularySize)],
    ['distinct-1, distinct-2', `${formatMetric(distinct1)}, ${formatMetric(distinct2)}`],
    ['said before', formatShare(numDuplicates / numImages)],
    ...(numEmpty > 0 ? ([['empty', formatShare(numEmpty / numImages)]] as [string, string][]) : []),
    ...(novelShare === undefined
      ? []
      : ([['not in the training captions', formatShare(novelShare)]] as [string, string][])),
  ];
  return html`<dl>${entries.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

const rowNotesStyles = html`
summary { font-weight: 600; }
.row-notes { margin-bottom: 24px; font-size: 14px; }
@media (min-width: 601px) { #scores tbody th { white-space: nowrap; } }
@media (max-width: 600px) { .row-notes { grid-template-columns: 1fr; gap: 0; } .row-notes dd { margin-bottom: 6px; } }
`;
