import { html, imageDataUri, type SafeHtml } from '#src/tracking';
import type { GalleryItem } from './reportData.js';

/** Narrower images are enlarged with their pixels kept square. */
const SMALL = 200;

/** Images with their generated captions and references. @throws UserError on an image that cannot be embedded */
export function captionGallery(items: readonly GalleryItem[]): SafeHtml {
  const hasMarks = items.some(({ marks }) => marks !== undefined);
  const groups = [...new Set(items.map(({ group }) => group))];
  groups.sort((a, b) => Number(a === 'failures') - Number(b === 'failures'));
  return html`${hasMarks && html`<p class="muted">Words of the generated captions: <span class="ok">right</span>, <span class="wrong">wrong</span>.</p>`}${groups.map(
    (group) => {
      const title = group[0].toUpperCase() + group.slice(1);
      return html`<h3>${title}</h3>\n${galleryCards(items.filter((item) => item.group === group))}\n`;
    },
  )}`;
}

/** Images with captions, side by side. @throws UserError on an image that cannot be embedded */
export function galleryCards(items: readonly Omit<GalleryItem, 'group'>[]): SafeHtml {
  return html`<div class="gallery">${items.map(galleryCard)}</div>`;
}

function galleryCard({ image, reference, generated, correct, note, marks }: Omit<GalleryItem, 'group'>): SafeHtml {
  const picture = image === undefined ? UNREADABLE_IMAGE : embedded(image, reference[0] ?? 'image');
  const words = marks?.map(({ word, ok }, i) => {
    const gap = i > 0 && ' ';
    if (ok === undefined) return html`${gap}${word}`;
    return html`${gap}<span class="${ok ? 'ok' : 'wrong'}">${word}</span>`;
  });
  const said = words ?? (generated === '' ? html`<span class="muted">(nothing)</span>` : generated);
  return html`<figure class="card">${picture}
<figcaption><p class="said">${said}</p>${verdict(correct, note)}${reference.length > 0 && html`<div class="muted">reference${reference.length > 1 && 's'}</div><ul>${reference.map((caption) => html`<li>${caption}</li>`)}</ul>`}</figcaption></figure>
`;
}

/** In the place of an image that can no longer be read. */
export const UNREADABLE_IMAGE = html`<div class="unreadable muted">image not readable</div>`;

function embedded(image: NonNullable<GalleryItem['image']>, alt: string): SafeHtml {
  const { uri, size } = imageDataUri(image);
  const small = size !== undefined && size.width < SMALL;
  return html`<img src="${uri}" alt="${alt}"${size && html` width="${size.width}" height="${size.height}"`}${small && html` class="pixelated"`}>`;
}

function verdict(correct: boolean | undefined, note: string | undefined): SafeHtml | undefined {
  const said = note !== undefined && html`<span class="muted">${note}</span>`;
  if (correct === undefined) return said ? html`<p class="verdict">${said}</p>` : undefined;
  return html`<p class="verdict ${correct ? 'right' : 'not-right'}">${correct ? '✓ correct' : '✗ not correct'}${said && html` ${said}`}</p>`;
}

export const captionGalleryStyles = html`
.gallery { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); }
.gallery .card { margin: 0; padding: 0; overflow: hidden; font-size: 14px; line-height: 1.4; }
.gallery img { display: block; width: 100%; height: auto; background: var(--line); }
.unreadable { padding: 40px 12px; text-align: center; background: var(--line); }
.gallery .pixelated { image-rendering: pixelated; }
.gallery figcaption { padding: 10px 12px 12px; }
.gallery p { margin: 0 0 6px; }
.gallery .said { font-size: 15px; }
.gallery .verdict { font-weight: 600; font-size: 13px; }
.gallery .verdict .muted { font-weight: 400; }
.right, .ok { color: var(--good); }
.not-right, .wrong { color: var(--bad); }
.ok { background: var(--good-tint); border-radius: 3px; }
.wrong { background: var(--bad-tint); border-radius: 3px; text-decoration: underline 2px; text-underline-offset: 3px; }
.gallery figcaption div { padding-top: 6px; border-top: 1px solid var(--line); }
.gallery ul { margin: 0; padding: 0; list-style: none; overflow-wrap: anywhere; font-size: 13px; }
.gallery li { margin-top: 3px; }
@media (max-width: 600px) { .gallery { grid-template-columns: repeat(auto-fill, minmax(155px, 1fr)); gap: 10px; } .gallery .said { font-size: 14px; } }
`;
