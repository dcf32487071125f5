import { END_OF_TEXT } from '#language';
import { html, type SafeHtml } from '#src/tracking';
import type { Inspection, UseContext } from '../inspection/index.js';
import { figure } from './figure.js';
import type { ShownImages } from './shownImages.js';

/** Patches on a side of a crop; smaller images are shown whole. */
const CROP = 5;

/** Characters of a text before and after its token, about; whole tokens are shown. */
const BEFORE = 60;
const AFTER = 40;

/** Draws what used a parameter token. */
export interface ContextPainter {
  patches(contexts: readonly UseContext[]): SafeHtml;
  texts(contexts: readonly UseContext[]): SafeHtml;
}

export function contextPainter(
  { images, texts, model: { patchGrid } }: Inspection,
  shown: ShownImages,
): ContextPainter {
  const names = new Map(images.map(({ index, name }) => [index, name]));
  const textOf = new Map(texts.map((text) => [text.index, text]));
  const grid = patchGrid ?? 1;
  const crop = (image: number, patch: number, title: string): SafeHtml => {
    const side = Math.min(CROP, grid);
    const [row, col] = [Math.floor(patch / grid), patch % grid];
    const isWhole = patch < 0;
    const span = isWhole ? grid : side;
    const first = (at: number): number => (isWhole ? 0 : Math.min(grid - side, Math.max(0, at - Math.floor(side / 2))));
    const [top, left] = [first(row), first(col)];
    const at = (place: number): string => (grid > span ? percent(place / (grid - span)) : '0%');
    const picture = image < 0 ? 'nowhere' : shown.has(image) ? `im${image}` : 'not-shown';
    const style = `background-size:${percent(grid / span)};background-position:${at(left)} ${at(top)}`;
    const mark =
      !isWhole &&
      html`<b style="left:${percent((col - left) / span)};top:${percent((row - top) / span)};width:${percent(1 / span)}"></b>`;
    return html`<i class="crop ${picture}" style="${style}" role="img" aria-label="${title}" title="${title}">${mark}</i>`;
  };
  const patchTitle = (image: number, patch: number): string => {
    const where = patch < 0 ? 'class token' : `patch in row ${Math.floor(patch / grid)}, column ${patch % grid}`;
    return image < 0 ? `${where}, of every image` : `${names.get(image) ?? `image ${image}`}: ${where}`;
  };
  return {
    patches: (contexts) =>
      html`<div class="crops">${contexts.map(
        ([item, patch, use]) =>
          html`<figure>${crop(item, patch, patchTitle(item, patch))}<figcaption>${figure(use)}${patch < 0 && html`<br>class token`}</figcaption></figure>`,
      )}</div>`,
    texts: (contexts) =>
      html`<ol class="texts">${contexts.map(([item, position, use, patch]) => {
        const text = textOf.get(item);
        if (text === undefined) return undefined;
        const looked = text.image !== null && patch !== undefined && patch >= 0;
        const title = looked && `attends most to: ${patchTitle(text.image as number, patch)}`;
        return html`<li>${title && crop(text.image as number, patch as number, title)}<span>${snippet(text.tokens, position)}</span><small>${figure(use)}</small></li>`;
      })}</ol>`,
  };
}

/** A token marked in its text; what comes after it, which the model has not read there, is greyed. */
function snippet(tokens: readonly string[], position: number): SafeHtml {
  const before = visibleTokens(tokens.slice(0, position).reverse(), BEFORE);
  const after = visibleTokens(tokens.slice(position + 1), AFTER);
  const token = tokens[position] === '' ? '\uFFFD' : visible(tokens[position]);
  const isBlank = tokens[position].trim() === '';
  const [lead, name] = isBlank ? ['', token.replace(/ /g, '␣')] : [/^ */.exec(token)?.[0], token.trimStart()];
  const [start, end] = [before.reverse().join(''), after.join('')];
  return html`${start}${lead}<mark>${name}</mark><span class="after">${end}</span>`;
}

/** The first tokens, of about so many characters; '…' stands for the rest. */
function visibleTokens(tokens: readonly string[], characters: number): string[] {
  const shown: string[] = [];
  let length = 0;
  for (const token of tokens) {
    if (length >= characters) return [...shown, '…'];
    const text = visible(token);
    shown.push(text);
    length += text.length;
  }
  return shown;
}

/** A token with line breaks and tabs as signs. */
function visible(token: string): string {
  if (token === END_OF_TEXT) return '⟨eot⟩';
  return token.replace(/\r?\n/g, '⏎').replace(/\t/g, '⇥');
}

function percent(share: number): string {
  return `${Number((100 * share).toFixed(3))}%`;
}

export const contextStyles = html`
.crops { display: flex; flex-wrap: wrap; gap: 8px; }
.crops figure { margin: 0; width: 76px; }
.crops figcaption { font-size: 12px; line-height: 1.3; color: var(--muted); font-variant-numeric: tabular-nums; text-align: center; }
.crop { position: relative; display: block; width: 76px; aspect-ratio: 1; border-radius: 4px; overflow: hidden; background-repeat: no-repeat; background-color: var(--line); image-rendering: pixelated; }
.crop b { position: absolute; aspect-ratio: 1; box-shadow: inset 0 0 0 2px #fff, inset 0 0 0 3.5px #111; }
.texts { margin: 0; padding: 0; list-style: none; display: grid; gap: 4px; }
.texts li { display: flex; gap: 8px; align-items: center; font-size: 14px; line-height: 1.35; }
.texts li > span { flex: 1; min-width: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.texts small { font-variant-numeric: tabular-nums; flex: none; }
.texts .crop { flex: none; width: 44px; }
.texts .crop b { box-shadow: inset 0 0 0 1px #fff, inset 0 0 0 2px #111; }
.texts mark { background: var(--row); color: var(--accent); font-weight: 650; border-radius: 3px; padding: 0 2px; box-shadow: 0 0 0 1px var(--accent); }
.texts .after { color: var(--muted); }
`;
