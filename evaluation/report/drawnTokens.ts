import { formatShare, html, htmlTable, type SafeHtml } from '#src/tracking';
import { type DrawnToken, FEWEST_OCCURRENCES, GROUP_NAMES, type GroupName, type TokenShare } from '../traces/index.js';

export const GROUP_LABELS: Readonly<Record<GroupName, string>> = {
  vision: 'vision',
  language: 'language',
  textBridge: 'text bridge',
  imageBridge: 'image bridge',
};

/** `vision value 2·41 (0.12 %)`: group, kind of layer, block and place in the group, from 0 as in parameter names. */
export function tokenShare({ block, layer, group, token, share }: TokenShare): string {
  return `${GROUP_LABELS[group]} ${layer} ${block}·${token} (${formatShare(share).replace(' ', '\u00a0')})`;
}

/** Parameter tokens with the words that draw on them, group by group. */
export function drawnTokenTables(tokens: readonly DrawnToken[]): SafeHtml | undefined {
  if (tokens.length === 0) return undefined;
  return html`<h3>Parameter tokens and the words that draw on them</h3><p>The share of a group is divided among its parameter tokens by what each writes alone,
‖s<sub>i</sub>V<sub>i</sub>‖; over all groups and layers the shares of a word sum to 1. Listed are the tokens of each group whose share differs most between words
(standard deviation over words said ${FEWEST_OCCURRENCES} times or more), and for each the words that draw on it most: × 2 is twice the mean over all words.
They are chosen for their differences, so some would stand out by chance in a model that has learned nothing. Tokens are named by layer, block and place in the group, from 0.</p>
<div class="drawn">${GROUP_NAMES.map((group) => {
    const own = tokens.filter((token) => token.group === group);
    if (own.length === 0) return undefined;
    return html`<div><h4><span class="key"><i class="from-${group}"></i>${GROUP_LABELS[group]}</span></h4>${htmlTable(
      [{ label: 'token', note: 'mean share' }, { label: 'words' }],
      own.map(({ layer, block, token, share, words }) => ({
        cells: [
          { content: `${layer} ${block}·${token}`, note: formatShare(share) },
          { content: html`<span class="drawers">${words.map((word) => drawer(word, share))}</span>` },
        ],
      })),
    )}</div>\n`;
  })}</div>`;
}

function drawer({ word, times, share }: DrawnToken['words'][number], mean: number): SafeHtml {
  const title = `${formatShare(share)} of what “${word}” drew on, said ${times} times`;
  return html`<span title="${title}">${word} <small>× ${(share / mean).toFixed(1)}</small></span>`;
}

export const drawnTokensStyles = html`
.drawn { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); align-items: start; }
.drawn > div { min-width: 0; }
.drawn h4 { margin: 0 0 6px; font-size: 15px; font-weight: 600; }
.drawn th:first-child { white-space: nowrap; min-width: 105px; }
.drawers { display: flex; flex-wrap: wrap; gap: 2px 12px; }
.drawers > span { white-space: nowrap; }
.drawers small { display: inline; }
`;
