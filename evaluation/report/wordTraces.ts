import { html, htmlTable, type SafeHtml, type TableCell } from '#src/tracking';
import { FEWEST_OCCURRENCES, GROUP_NAMES, type GroupName, type TracedWord } from '../traces/index.js';
import { UNREADABLE_IMAGE } from './captionGallery.js';
import { GROUP_LABELS, tokenShare } from './drawnTokens.js';

/** One caption to show word by word. */
export interface TraceExample {
  /** The image as the model sees it, a data URI; undefined when it can no longer be read. */
  readonly uri: string | undefined;
  readonly words: readonly TracedWord[];
  readonly reference: string;
  readonly note: string;
}

const LAYERS = ['query', 'key', 'value', 'output', 'ffn'] as const;

/** Parameter tokens named under a word; the rest are in traces.json. */
const TOKENS_SHOWN = 3;
const MOST_WORDS = 24;

/** Images under the attention of each word of their captions. */
export function attentionExamples(examples: readonly TraceExample[]): SafeHtml {
  return html`<p>Point at a word, or tap it: the clearer a patch, the more the word attends to it (mean over layers and heads while the word is
predicted, relative to the patch it attends to most). Shown first is the word with the sharpest look. The bar under a word is what it drew on, ${legend()}, mean over the five kinds of layer.</p>
<div class="traces">${examples.map(example)}</div>`;
}

function example({ uri, words, reference, note }: TraceExample): SafeHtml {
  const columns = Math.round(Math.sqrt(words[0]?.patches.length ?? 1));
  return html`<figure class="card trace"><div class="overlay" style="--columns:${columns}">${uri === undefined ? UNREADABLE_IMAGE : html`<img src="${uri}" alt="${reference}">`}<span class="cells">${words[0]?.patches.map(() => html`<i></i>`)}</span></div>
<figcaption><div class="words">${words.map(word)}</div><p class="trace-note muted" aria-live="polite"></p><p class="muted">reference: ${reference}<br>${note}</p></figcaption></figure>
`;
}

function word({ word: text, patches, imageAttention, shares, tokens }: TracedWord): SafeHtml {
  const most = Math.max(...patches, 1e-9);
  // Two hexadecimal digits a patch.
  const levels = patches
    .map((value) =>
      Math.round((255 * value) / most)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('');
  const total = meanShares(shares);
  const drew = GROUP_NAMES.map((group) => `${GROUP_LABELS[group]} ${percent(total[group])}`).join(', ');
  const first = tokens.slice(0, TOKENS_SHOWN).map(tokenShare).join(', ');
  const note = `“${text}”: ${percent(imageAttention)} of its attention on the image; drew on ${drew}\nparameter tokens: ${first}`;
  return html`<button type="button" data-patches="${levels}" data-peak="${(most / Math.max(1e-9, imageAttention)).toFixed(3)}" data-note="${note}">${text}${mix(total)}</button> `;
}

function mix(shares: Readonly<Record<GroupName, number>>): SafeHtml {
  return html`<span class="mix">${GROUP_NAMES.map((group) => shares[group] > 0 && html`<i class="from-${group}" style="flex-grow:${shares[group].toFixed(3)}"></i>`)}</span>`;
}

function legend(): SafeHtml {
  return html`${GROUP_NAMES.map((group, i) => html`${i > 0 && ', '}<span class="key"><i class="from-${group}"></i>${GROUP_LABELS[group]}</span>`)}`;
}

/** Which groups of parameter tokens words drew on: by kind of layer, and by word. */
export function groupShareTables(words: readonly TracedWord[], numCaptions: number): SafeHtml {
  const columns = GROUP_NAMES.map((group) => ({ label: GROUP_LABELS[group], numeric: true }));
  const cells = (shares: Readonly<Record<GroupName, number>>): TableCell[] =>
    GROUP_NAMES.map((group) => ({ content: percent(shares[group]), bar: shares[group] }));
  const meanOf = (of: readonly TracedWord[], share: (word: TracedWord, group: GroupName) => number) =>
    Object.fromEntries(GROUP_NAMES.map((group) => [group, mean(of.map((traced) => share(traced, group)))])) as Record<
      GroupName,
      number
    >;
  const byLayer = LAYERS.map((layer) => ({
    cells: [{ content: layer }, ...cells(meanOf(words, ({ shares }, group) => shares[layer][group]))],
  }));
  const all = meanOf(words, ({ shares }, group) => meanShares(shares)[group]);
  const groups = new Map<string, TracedWord[]>();
  for (const traced of words) groups.set(traced.word, [...(groups.get(traced.word) ?? []), traced]);
  const common = [...groups]
    .filter(([, same]) => same.length >= FEWEST_OCCURRENCES)
    .sort((a, b) => b[1].length - a[1].length)
    .slice(0, MOST_WORDS)
    .map(([text, same]) => ({
      text,
      same,
      image: mean(same.map(({ imageAttention }) => imageAttention)),
      shares: meanOf(same, ({ shares }, group) => meanShares(shares)[group]),
    }))
    .sort((a, b) => b.image - a.image);
  return html`<p>A word draws on a group of parameter tokens by the share of output norm that the group writes while the word is predicted. In query,
output and ffn layers that is ‖y<sub>g</sub>(x)‖ / Σ ‖y<sub>g′</sub>(x)‖ for the token x itself, y<sub>g</sub> being what group g makes of it; in key and value
layers the norms are summed over all image tokens and words that it reads, each by its attention. ${words.length} words of ${numCaptions} captions, drawn at random; means over
blocks. The ffn of text is the language backbone’s alone; vision groups reach words through the keys and values of image tokens.</p>
<h3>By kind of layer</h3>${htmlTable([{ label: 'layer' }, ...columns], [...byLayer, { cells: [{ content: 'mean' }, ...cells(all)], total: true }])}
${
  common.length > 0 &&
  html`<h3>By word <small>those said ${FEWEST_OCCURRENCES} times or more, the most frequent ${MOST_WORDS}, most visual first</small></h3>${htmlTable(
    [
      { label: 'word' },
      { label: 'times', numeric: true },
      { label: 'attention on the image', numeric: true },
      ...columns,
    ],
    common.map(({ text, same, image, shares }) => ({
      cells: [
        { content: text },
        { content: String(same.length) },
        { content: percent(image), bar: image },
        ...cells(shares),
      ],
    })),
  )}`
}`;
}

/** One decimal throughout, so that columns can be compared. */
function percent(share: number): string {
  return `${(100 * share).toFixed(1)}\u00a0%`;
}

/** Mean over the kinds of layer. */
function meanShares(shares: TracedWord['shares']): Record<GroupName, number> {
  return Object.fromEntries(
    GROUP_NAMES.map((group) => [group, mean(LAYERS.map((layer) => shares[layer][group]))]),
  ) as Record<GroupName, number>;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export const wordTracesStyles = html`
.traces { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
.trace { margin: 0; }
.overlay { position: relative; max-width: 260px; margin: 0 auto 12px; }
.overlay img { display: block; width: 100%; border-radius: 4px; image-rendering: pixelated; }
.cells { position: absolute; inset: 0; display: grid; grid-template-columns: repeat(var(--columns), 1fr); }
.cells i { background: var(--card); opacity: 0; transition: opacity .12s; }
.words { display: flex; flex-wrap: wrap; gap: 4px; }
.words button { font: inherit; font-size: 15px; color: inherit; background: none; border: 1px solid var(--line); border-radius: 6px; padding: 4px 7px 5px; min-width: 32px; cursor: pointer; }
.words button[aria-pressed=true] { border-color: var(--accent); background: var(--row); }
.words button:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.mix { display: flex; height: 4px; margin-top: 3px; border-radius: 2px; overflow: hidden; }
.from-vision { background: var(--series3); }
.from-language { background: var(--series6); }
.from-textBridge { background: var(--series2); }
.from-imageBridge { background: var(--series4); }
.key { white-space: nowrap; }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 4px; }
.trace p { margin: 8px 0 0; font-size: 13px; }
.trace .trace-note { white-space: pre-line; min-height: 9em; }
`;
