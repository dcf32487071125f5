import { ABSENT, formatCount, formatShare, html, htmlTable, type SafeHtml, type TableCell } from '#src/tracking';
import type { InspectedGroup, Inspection } from '../inspection/index.js';
import { figure, meanOf, range } from './figure.js';
import { groupsOf, layerLabel, STREAMS, type StreamGroup } from './streams.js';

/** What a use is, and the groups of all streams, summed up over blocks. */
export function overview(inspection: Inspection): SafeHtml {
  const { groups, settings, data } = inspection;
  const idle = groups.filter(({ uses }) => uses.length === 0);
  if (data === null) {
    return html`<p class="card">No data was read: the model has no run that names any, or none was wanted. Use, dead tokens and what excites
parameter tokens need data; name some with <code>--images</code>, <code>--text</code> or <code>--captions</code>.</p>${parameterTable(groups)}`;
  }
  return html`<p>A token x uses parameter token i of a group by the length of what that writes, u<sub>i</sub>(x) = |S<sub>i</sub>(x)| ‖V<sub>i</sub>‖, with
S = Θ(x Kᵀ), and by the gate of the group where it has one. The share of use is a group’s part of the sum of mean uses of its layer. A parameter token is dead if no token uses it
above ${formatShare(settings.deadShare)} of the mean of its layer. Effective: how many parameter tokens share the work, (Σu)² / Σu² of their mean uses, and of the uses of a
single token (at once), in percent of the group. Numbers of several blocks are means; τ and counts are not.</p>
${STREAMS.map(({ stream, title, note }) => {
  const used = groupsOf(inspection, stream);
  if (used.length === 0) return undefined;
  return html`<h3>${title} <small>${note}; ${formatCount(Math.max(...used.map(({ use }) => use.rows)))} tokens</small></h3>${streamTable(used)}`;
})}
${idle.length > 0 && html`<h3>Not used by this data</h3><p>Groups of the model that neither its blocks nor its readings of images use, such as the decoder of an objective, or that the data did not reach.</p>${parameterTable(idle)}`}`;
}

function streamTable(used: readonly StreamGroup[]): SafeHtml {
  const rows = byLabel(used, ({ group }) => group).map(([label, same]) => {
    const tokens = same.reduce((sum, { group }) => sum + group.numParamTokens, 0);
    const dead = same.reduce((sum, { use }) => sum + use.dead.length, 0);
    const share = meanOf(same.map(({ use }) => use.shareOfLayer));
    const ofGroup = (count: (entry: StreamGroup) => number): number =>
      meanOf(same.map((entry) => count(entry) / entry.group.numParamTokens));
    return {
      cells: [
        ...head(label, same.length),
        { content: formatCount(tokens) },
        { content: formatShare(share), bar: share },
        { content: formatCount(dead), note: dead > 0 ? formatShare(dead / tokens) : undefined },
        { content: formatShare(ofGroup(({ use }) => use.effective)) },
        { content: formatShare(ofGroup(({ use }) => use.effectiveAtOnce)) },
        { content: figure(meanOf(same.map(({ use }) => meanOf(use.weight)))) },
        ...norms(same.map(({ group }) => group)),
      ],
    };
  });
  return htmlTable(
    [
      { label: 'layer · group' },
      { label: 'blocks', numeric: true },
      { label: 'parameter tokens', numeric: true },
      { label: 'share of use', numeric: true },
      { label: 'dead', numeric: true },
      { label: 'effective', numeric: true },
      { label: 'at once', numeric: true },
      { label: 'mean |S|', numeric: true },
      ...NORM_COLUMNS,
    ],
    rows,
  );
}

const NORM_COLUMNS = [
  { label: 'mean ‖K‖', numeric: true },
  { label: 'mean ‖V‖', numeric: true },
  { label: 'τ', numeric: true },
];

/** What is known without data. */
function parameterTable(groups: readonly InspectedGroup[]): SafeHtml {
  const rows = byLabel(groups, (group) => group).map(([label, same]) => ({
    cells: [
      ...head(label, same.length),
      { content: formatCount(same.reduce((sum, { numParamTokens }) => sum + numParamTokens, 0)) },
      ...norms(same),
    ],
  }));
  return htmlTable(
    [
      { label: 'layer · group' },
      { label: 'blocks', numeric: true },
      { label: 'parameter tokens', numeric: true },
      ...NORM_COLUMNS,
    ],
    rows,
  );
}

function head(label: string, blocks: number): TableCell[] {
  return [{ content: label }, { content: String(blocks) }];
}

function norms(groups: readonly InspectedGroup[]): TableCell[] {
  const mean = (values: (group: InspectedGroup) => readonly number[]): string =>
    groups.length === 0 ? ABSENT : figure(meanOf(groups.map((group) => meanOf(values(group)))));
  return [
    { content: mean(({ keyNorms }) => keyNorms) },
    { content: mean(({ valueNorms }) => valueNorms) },
    { content: range(groups.map(({ tau }) => tau)) },
  ];
}

/** Entries of equal layer and group, whatever their block. */
function byLabel<T>(entries: readonly T[], groupOf: (entry: T) => InspectedGroup): [string, T[]][] {
  const labels = new Map<string, T[]>();
  for (const entry of entries) {
    const label = layerLabel(groupOf(entry));
    labels.set(label, [...(labels.get(label) ?? []), entry]);
  }
  return [...labels];
}
