import { formatCount, html, htmlTable, type SafeHtml } from '#src/tracking';
import type { GroupUse, Inspection, KeySimilarity, SimilarPair } from '../inspection/index.js';
import type { ContextPainter } from './contexts.js';

/** Whether the keys of both backbones are more alike than chance, layer by layer. */
export function similaritySection(similarity: KeySimilarity, { groups }: Inspection, paint: ContextPainter): SafeHtml {
  const { layers, draws, pairs, mostKeys } = similarity;
  const above = layers.filter(({ aboveChance }) => aboveChance).length;
  const rows = layers.map(({ block, layer, visionKeys, languageKeys, best, chance, aboveChance }) => ({
    cells: [
      { content: `${layer}, block ${block}` },
      { content: formatCount(visionKeys) },
      { content: formatCount(languageKeys) },
      { content: cosine(best) },
      { content: cosine(chance.mean), note: `${cosine(chance.low)} to ${cosine(chance.high)}` },
      { content: aboveChance ? 'above' : 'no more than chance' },
    ],
    emphasised: aboveChance,
  }));
  const usesOf = (path: string, streams: readonly GroupUse['stream'][]): GroupUse | undefined =>
    groups.find((group) => group.path === path)?.uses.find(({ stream }) => streams.includes(stream));
  const pair = ({ block, layer, visionToken, languageToken, cosine: value }: SimilarPair): SafeHtml => {
    const path = (group: string): string => `block${block}/${layer === 'ffn' ? '' : 'attention/'}${layer}/${group}`;
    const patches = usesOf(path('vision'), ['image', 'reading'])?.contexts[visionToken] ?? [];
    const texts = usesOf(path('language'), ['text'])?.contexts[languageToken] ?? [];
    return html`<div class="card token"><p><b>${cosine(value)}</b> <small>${layer}, block ${block}: vision ${visionToken} and language ${languageToken}</small></p>${patches.length > 0 && paint.patches(patches.slice(0, 4))}${texts.length > 0 && html`<div class="beside">${paint.texts(texts.slice(0, 4))}</div>`}</div>
`;
  };
  return html`<p><b>${formatCount(above)} of ${formatCount(layers.length)} layers above chance.</b> For every vision key of a layer the cosine with the most similar language key, mean over vision keys.
Chance is the same with the coordinates of the vision keys permuted and their signs flipped at random, ${draws} times (mean, lowest to highest): it keeps lengths and the angles of each backbone’s keys
among themselves. Above: higher than every draw, which happens by chance in one layer of ${draws + 1}. At most ${formatCount(mostKeys)} keys of a group are compared.</p>
${htmlTable(
  [
    { label: 'layer' },
    { label: 'vision keys', numeric: true },
    { label: 'language keys', numeric: true },
    { label: 'best cosine', numeric: true },
    { label: 'chance', numeric: true },
    { label: 'verdict' },
  ],
  rows,
)}
<details><summary>The most similar pairs</summary><p>Chosen out of all pairs of all layers, so that some are alike by chance.</p><div class="tokens">${pairs.map(pair)}</div></details>`;
}

/** Three decimals throughout, so that columns can be compared. */
function cosine(value: number): string {
  return value.toFixed(3);
}

export const similarityStyles = html`
.beside { margin-top: 8px; }
`;
