import { GROUP_NAMES, type GroupName, type TracedWord } from '#evaluation/traces';
import { element, make } from './elements.js';

const LABELS: Readonly<Record<GroupName, string>> = {
  vision: 'vision',
  language: 'language',
  textBridge: 'bridge on text',
  imageBridge: 'bridge on the picture',
};

/** Draws the pixels that the model reads, and a cell over each patch. */
export function showPixels(
  pixels: Uint8Array,
  { imageSize, patchSize }: { imageSize: number; patchSize: number },
): void {
  const canvas = element<HTMLCanvasElement>('pixels');
  Object.assign(canvas, { width: imageSize, height: imageSize });
  const rgba = new Uint8ClampedArray(imageSize * imageSize * 4).fill(255);
  for (let i = 0; i < imageSize * imageSize; i++) rgba.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
  canvas.getContext('2d')?.putImageData(new ImageData(rgba, imageSize, imageSize), 0, 0);
  const perSide = Math.floor(imageSize / patchSize);
  const cells = element('cells');
  cells.style.setProperty('--columns', String(perSide));
  cells.replaceChildren(...Array.from({ length: perSide * perSide }, () => make('i')));
  element('picture').classList.add('filled');
}

/** A button for each word: pointed at or focused, it shows the patches that the word looked at and what it drew on. */
export function wordButtons(words: readonly TracedWord[], note: HTMLElement): HTMLElement[] {
  const cells = [...element('cells').children] as HTMLElement[];
  const buttons = words.map((traced) => {
    const shares = meanShares(traced);
    const button = make('button', { type: 'button' }, traced.word, bar(shares));
    button.dataset.patches = traced.patches.join(' ');
    const show = (): void => {
      const most = Math.max(...traced.patches, 1e-9);
      for (const [i, cell] of cells.entries())
        cell.style.opacity = String(0.85 * (1 - (traced.patches[i] ?? 0) / most));
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      const drew = GROUP_NAMES.filter((group) => shares[group] > 0).map(
        (group) => `${LABELS[group]} ${percent(shares[group])}`,
      );
      note.textContent = `“${traced.word}”: ${percent(traced.imageAttention)} of its attention is on the picture; it drew on ${drew.join(', ')}.`;
    };
    button.setAttribute('aria-pressed', 'false');
    for (const event of ['pointerenter', 'focus', 'click']) button.addEventListener(event, show);
    return button;
  });
  for (const cell of cells) cell.style.opacity = '0';
  return buttons;
}

/** The part of each group of parameter tokens, as a bar. */
function bar(shares: Readonly<Record<GroupName, number>>): HTMLElement {
  const parts = GROUP_NAMES.map((group) => {
    const part = make('i', { className: `from-${group}` });
    part.style.flexGrow = shares[group].toFixed(3);
    return part;
  });
  return make('span', { className: 'mix' }, ...parts);
}

/** Mean over the kinds of layer. */
function meanShares({ shares }: TracedWord): Record<GroupName, number> {
  const layers = Object.values(shares);
  const mean = (group: GroupName): number => layers.reduce((sum, layer) => sum + layer[group], 0) / layers.length;
  return {
    vision: mean('vision'),
    language: mean('language'),
    textBridge: mean('textBridge'),
    imageBridge: mean('imageBridge'),
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)}\u00a0%`;
}
