import { formatCount, formatShare, html, type SafeHtml } from '#src/tracking';
import type { ContextPainter } from './contexts.js';
import { figure } from './figure.js';
import type { ShownGroup } from './shownTokens.js';
import { blockLabel, layerLabel, STREAMS } from './streams.js';

/** The most and the least used parameter tokens of every group, with what uses them. */
export function tokenCards(shown: readonly ShownGroup[], numGroups: number, paint: ContextPainter): SafeHtml {
  const sections = STREAMS.map(({ stream, title, note }) => {
    const ofStream = shown.filter(({ use }) => use.stream === stream);
    if (ofStream.length === 0) return undefined;
    const blocks = [...new Set(ofStream.map(({ group }) => group.block))].map((block, i) => {
      const groups = ofStream.filter(({ group }) => group.block === block);
      return html`<details${i === 0 && html` open`}><summary>${blockLabel(block)}</summary>${groups.map((entry) => groupCards(entry, paint))}</details>\n`;
    });
    return html`<h3>${title} <small>${note}</small></h3>${blocks}`;
  });
  const missing = numGroups - shown.length;
  return html`<p>Of each group the parameter tokens used most, by their mean use, and some of those used least; × is against the mean of the layer. Under a patch, and behind a text, the use
there. A patch is marked in its surroundings; in a text the token is marked at which it is used, and what follows, which the model has not read there, is grey; ⟨eot⟩ is the end-of-text token, which begins a text too.
At most one place of an image or a text is shown. Where text reads an image, the patch that the token attends to most stands in front.</p>${sections}${missing > 0 && html`<p class="muted">${formatCount(missing)} more groups are in inspection.json.</p>`}`;
}

function groupCards(entry: ShownGroup, paint: ContextPainter): SafeHtml {
  const { group, use, most, least } = entry;
  const count = `${formatCount(most.length)} most used of ${formatCount(group.numParamTokens)}`;
  return html`<details class="group"><summary>${layerLabel(group)} <small>${count}</small></summary>
${most.length === 0 ? html`<p class="muted">Nothing uses this group: its values are zero, or its gate is closed.</p>` : html`<div class="tokens">${most.map((token) => tokenCard(entry, token, paint))}</div>`}
${most.length > 0 && least.length > 0 && html`<h4>least used</h4><div class="tokens">${least.map((token) => tokenCard(entry, token, paint))}</div>`}${use.dead.length > 0 && most.length > 0 && html`<p class="muted">dead: ${formatCount(use.dead.length)} of ${formatCount(group.numParamTokens)}</p>`}</details>
`;
}

function tokenCard({ group, use }: ShownGroup, token: number, paint: ContextPainter): SafeHtml {
  const contexts = use.contexts[token];
  const total = use.use.reduce((sum, u) => sum + u, 0);
  const facts = [
    `× ${figure(use.use[token] / use.layerMean)}`,
    `${formatShare(use.use[token] / total)} of the group`,
    `mean ${figure(use.use[token])}`,
    `largest ${figure(use.largest[token])}`,
    `|S| ${figure(use.weight[token])}`,
    `‖K‖ ${figure(group.keyNorms[token])}`,
    `‖V‖ ${figure(group.valueNorms[token])}`,
  ];
  const body =
    contexts.length === 0
      ? html`<p class="muted">never used</p>`
      : use.stream === 'text'
        ? paint.texts(contexts)
        : paint.patches(contexts);
  return html`<div class="token card" id="${cardId(use.stream, group.path, token)}"><p><b>${token}</b> <small class="facts">${facts.map((fact) => html`<span>${fact}</span> `)}</small></p>${body}</div>
`;
}

function cardId(stream: string, path: string, token: number): string {
  return `${stream}-${path.replace(/[^A-Za-z0-9]+/g, '-')}-${token}`;
}

export const tokenCardsStyles = html`
#tokens summary { font-weight: 600; }
#tokens summary small { font-weight: 400; }
.group { margin: 8px 0 8px 16px; }
.group h4 { margin: 12px 0 6px; font-size: 14px; font-weight: 600; color: var(--muted); }
.tokens { display: grid; gap: 10px; margin-top: 8px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr)); }
.token { padding: 10px 12px; min-width: 0; }
.token > p { margin: 0 0 6px; line-height: 1.35; }
.facts span { white-space: nowrap; margin-right: 8px; }
.token > p b { font-size: 15px; margin-right: 6px; }
@media (max-width: 600px) { .group { margin-left: 4px; } }
`;
