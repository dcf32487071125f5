import { formatCount, html, htmlPage, type PageSection } from '#src/tracking';
import type { DataInfo, ImageViews, Inspection, UseContext } from '../inspection/index.js';
import { bridgeSection, bridgeStyles } from './bridgeSection.js';
import { contextPainter, contextStyles } from './contexts.js';
import { layerStrips, layerStripsStyles } from './layerStrips.js';
import { numberArraysStyles } from './numberArrays.js';
import { octaveChartStyles } from './octaveChart.js';
import { overview } from './overview.js';
import { shownImages } from './shownImages.js';
import { type ShownGroup, shownTokens } from './shownTokens.js';
import { similaritySection, similarityStyles } from './similaritySection.js';
import { groupsOf, STREAMS } from './streams.js';
import { tokenCards, tokenCardsStyles } from './tokenCards.js';
import { useStripStyles } from './useStrip.js';

/**
 * An inspection as one HTML page that needs no network and no other file. Equal inspections give equal pages.
 *
 * @param views the images; without them crops are blank
 * @param perGroup parameter tokens shown of a group, if the page does not get too large
 */
export async function inspectionPage(
  inspection: Inspection,
  views: ImageViews | undefined,
  perGroup: number,
): Promise<string> {
  const { model, data, similarity, bridges } = inspection;
  const numUsed = STREAMS.reduce((sum, { stream }) => sum + groupsOf(inspection, stream).length, 0);
  const shown = shownTokens(inspection, perGroup);
  const images = await shownImages(imagesOf(inspection, shown), views);
  const paint = contextPainter(inspection, images);
  const sections: (PageSection | false)[] = [
    { id: 'overview', title: 'Overview', body: overview(inspection) },
    numUsed > 0 && { id: 'layers', title: 'Use, layer by layer', body: await layerStrips(inspection) },
    bridges !== null &&
      bridges.length > 0 && { id: 'bridges', title: 'Bridges', body: bridgeSection(bridges, inspection, paint) },
    similarity !== null && {
      id: 'similarity',
      title: 'Keys of both backbones',
      body: similaritySection(similarity, inspection, paint),
    },
    numUsed > 0 && { id: 'tokens', title: 'Parameter tokens', body: tokenCards(shown, numUsed, paint) },
  ];
  const kind = model.kind === 'fusion' ? `merged model, method ${model.method}` : `${model.kind} model`;
  return htmlPage({
    title: `Parameter tokens of ${model.name}`,
    lead: html`<p class="muted">A ${kind}, inspected by tokenfuse ${sourceText(data)}.${images.numLeftOut > 0 && ` ${formatCount(images.numLeftOut)} images are left out to keep the page small.`}${model.manifest !== null && html`<br>Checkpoint <code>${model.manifest.slice(0, 12)}</code> (SHA-256 of its manifest). All numbers: <code>inspection.json</code>.`}</p>`,
    sections: sections.filter((section) => section !== false),
    styles: html`${useStripStyles}${octaveChartStyles}${numberArraysStyles}${layerStripsStyles}${contextStyles}${tokenCardsStyles}${similarityStyles}${bridgeStyles}${images.styles}`,
  });
}

/** What was read, in words. */
function sourceText(data: Inspection['data']): string {
  const { images = null, texts = null } = data ?? {};
  const of = (info: DataInfo, noun: string): string =>
    `${formatCount(info.count)} ${noun}${info.count === 1 ? '' : 's'}`;
  if (images && texts && images.source === texts.source) {
    return `on ${of(images, 'image')} with ${of(texts, 'text')} of ${images.source}`;
  }
  const sources = [
    images && `${of(images, 'image')} of ${images.source}`,
    texts && `${of(texts, 'text')} of ${texts.source}`,
  ].filter((source) => source !== null);
  return sources.length > 0 ? `on ${sources.join(' and ')}` : 'without data';
}

/** Images that the page refers to, those of the most used parameter tokens first. */
function imagesOf({ texts, bridges, groups, similarity }: Inspection, shown: readonly ShownGroup[]): number[] {
  const imageOfText = new Map(texts.map(({ index, image }) => [index, image]));
  const found = new Set<number>();
  const add = (contexts: readonly UseContext[], isText: boolean): void => {
    for (const [item] of contexts) {
      const image = isText ? imageOfText.get(item) : item;
      if (image !== undefined && image !== null && image >= 0) found.add(image);
    }
  };
  for (const { path, stream, tokens } of bridges ?? []) {
    const use = groups.find((group) => group.path === path)?.uses.find((other) => other.stream === stream);
    for (const { token, words } of tokens) {
      add(use?.contexts[token] ?? [], stream === 'text');
      add(words, true);
    }
  }
  for (const { block, layer, visionToken } of similarity?.pairs ?? []) {
    const group = groups.find((other) => other.block === block && other.layer === layer && other.group === 'vision');
    for (const use of group?.uses ?? []) add(use.contexts[visionToken], use.stream === 'text');
  }
  for (const { use, most } of shown) for (const token of most) add(use.contexts[token], use.stream === 'text');
  for (const { use, least } of shown) for (const token of least) add(use.contexts[token], use.stream === 'text');
  return [...found];
}
