import { formatShare, html, type SafeHtml } from '#src/tracking';
import type { BridgeFlow, Inspection } from '../inspection/index.js';
import type { ContextPainter } from './contexts.js';
import { figure } from './figure.js';
import { blockLabel, layerLabel } from './streams.js';

/** Which bridge tokens write most, and from where to where. */
export function bridgeSection(bridges: readonly BridgeFlow[], { groups }: Inspection, paint: ContextPainter): SafeHtml {
  const cards = bridges.map((flow, i) => bridgeCards(flow, groups, paint, i === 0));
  const silent = bridges.filter(({ tokens }) => tokens.length === 0).length;
  return html`<p>Bridge groups are what a merge adds and alignment trains. Of each, the parameter tokens that write most: those that read the image with the patches that they read most from, and the
words that they reach, by Σ<sub>p</sub> a<sub>p</sub> u<sub>i</sub>(x<sub>p</sub>) with a<sub>p</sub> the word’s attention to patch p (mean over heads); those on text with the words that use them most.
The share of use is that of the layer’s groups in the same stream.${silent > 0 && ` ${silent} of ${bridges.length} write nothing, as in a model that was not aligned.`}</p>${cards}`;
}

function bridgeCards(
  { path, stream, shareOfLayer, tokens }: BridgeFlow,
  groups: Inspection['groups'],
  paint: ContextPainter,
  isOpen: boolean,
): SafeHtml | undefined {
  const group = groups.find((other) => other.path === path);
  const use = group?.uses.find((other) => other.stream === stream);
  if (group === undefined || use === undefined) return undefined;
  const cards = tokens.map(({ token, use: mean, share, words }) => {
    const contexts = use.contexts[token];
    const reads = stream === 'text' ? paint.texts(contexts) : html`<h5>from patches</h5>${paint.patches(contexts)}`;
    const reaches = words.length > 0 && html`<h5>to words</h5>${paint.texts(words)}`;
    return html`<div class="card token"><p><b>${token}</b> <small>${formatShare(share)} of the group · mean ${figure(mean)}</small></p>${reads}${reaches}</div>
`;
  });
  const what = stream === 'text' ? 'on text' : 'on the image';
  return html`<details${isOpen && html` open`}><summary>${blockLabel(group.block)}, ${layerLabel(group)} <small>${what}, ${formatShare(shareOfLayer)} of the layer’s use</small></summary>${cards.length > 0 ? html`<div class="tokens">${cards}</div>` : html`<p class="muted">writes nothing</p>`}</details>
`;
}

export const bridgeStyles = html`
#bridges summary { font-weight: 600; }
#bridges summary small { font-weight: 400; }
.token h5 { margin: 8px 0 4px; font-size: 13px; font-weight: 600; color: var(--muted); }
`;
