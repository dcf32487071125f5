import { formatCount, formatShare, html, type SafeHtml } from '#src/tracking';
import type { Inspection } from '../inspection/index.js';
import { figure } from './figure.js';
import { arrayLength, numberArrays } from './numberArrays.js';
import { octaveChart } from './octaveChart.js';
import { blockLabel, groupsOf, layerLabel, STREAMS, type StreamGroup } from './streams.js';
import { MOST_COLUMNS, stripLegend, useStrip } from './useStrip.js';

/** Groups drawn; more would make the page heavy, and are in the JSON. */
const MOST_STRIPS = 400;

/** Arrays of numbers of each. */
const ARRAYS = 5;

/** How each group of each layer is used, block by block. */
export async function layerStrips(inspection: Inspection): Promise<SafeHtml> {
  let left = MOST_STRIPS;
  const numUsed = inspection.groups.reduce((sum, { uses }) => sum + uses.length, 0);
  const numbers = arrayLength(ARRAYS * Math.min(numUsed, MOST_STRIPS));
  const sections: SafeHtml[] = [];
  for (const { stream, title } of STREAMS) {
    const used = groupsOf(inspection, stream);
    if (used.length === 0) continue;
    const shown = used.slice(0, left);
    left -= shown.length;
    const blocks: SafeHtml[] = [];
    for (const [i, block] of [...new Set(shown.map(({ group }) => group.block))].entries()) {
      const rows: SafeHtml[] = [];
      for (const entry of shown.filter(({ group }) => group.block === block)) rows.push(await layerRow(entry, numbers));
      blocks.push(
        html`<details${i === 0 && html` open`}><summary>${blockLabel(block)}</summary><div class="layer-rows">${rows}</div></details>\n`,
      );
    }
    const missing = used.length - shown.length;
    sections.push(
      html`<h3>${title}</h3>${blocks}${missing > 0 && html`<p class="muted">${formatCount(missing)} more groups are in inspection.json.</p>`}`,
    );
  }
  const isCoarse = inspection.groups.some(({ numParamTokens }) => numParamTokens > MOST_COLUMNS);
  return html`<p>Each strip is a group, a parameter token a column in its order in the file; the colour is its mean use against the mean of the layer, all groups together. Beside it how many parameter tokens have which mean
use, as a multiple of that mean, and how long all single writes are, both by powers of two.
${isCoarse && `In a group of more than ${formatCount(MOST_COLUMNS)} tokens, neighbours share a column, which shows the most used of them.`}</p>${stripLegend()}${sections}`;
}

async function layerRow({ group, use }: StreamGroup, numbers: number): Promise<SafeHtml> {
  const { numParamTokens } = group;
  const label = `${blockLabel(group.block)}, ${layerLabel(group)}: mean use of ${formatCount(numParamTokens)} parameter tokens`;
  const facts = [
    `${formatShare(use.shareOfLayer)} of the layer’s use`,
    `${formatCount(use.dead.length)} of ${formatCount(numParamTokens)} dead`,
    `effective ${figure(use.effective)}, at once ${figure(use.effectiveAtOnce)}`,
    `τ ${figure(group.tau)}`,
  ];
  return html`<div class="layer-row"><h4>${layerLabel(group)} <small>${facts.join(' · ')}</small></h4><div class="layer-figures">${await useStrip(use, label)}${octaveChart(use.tokensByUse, 'tokens by mean use', 'parameter tokens')}${octaveChart(use.singleUses, 'single uses by length', 'uses')}</div>
${numberArrays(
  [
    { label: 'mean use', values: use.use },
    { label: 'largest use', values: use.largest },
    { label: 'mean |S|', values: use.weight },
    { label: '‖K‖', values: group.keyNorms },
    { label: '‖V‖', values: group.valueNorms },
  ],
  numbers,
)}</div>
`;
}

export const layerStripsStyles = html`
.layer-rows { display: grid; gap: 20px; padding: 12px 0 4px; }
.layer-row { min-width: 0; }
.layer-row h4 { margin: 0 0 6px; font-size: 15px; font-weight: 600; overflow-wrap: anywhere; }
.layer-row h4 small { font-weight: 400; margin-left: 6px; }
.layer-figures { display: grid; gap: 8px 24px; grid-template-columns: minmax(0, 1fr) 220px 220px; align-items: start; }
@media (max-width: 900px) { .layer-figures { grid-template-columns: repeat(2, minmax(0, 1fr)); } .layer-figures .strip { grid-column: 1 / -1; } }
`;
