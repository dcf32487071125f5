import { createHash } from 'node:crypto';
import { formatCount, html, pageStyles, type SafeHtml } from '#src/tracking';
import type { Change, PrecisionLoss, SiteManifest } from './manifest.js';
import { siteStyles } from './siteStyles.js';

/** How a page gets its files: from beside it, or from inside it. */
export type Inlined = ReadonlyMap<string, Uint8Array> | undefined;

/**
 * index.html of a page. Its content security policy lets it read nothing but its own files.
 *
 * @param bytes of all files of the page
 * @param inlined the files to put inside
 */
export function sitePage(manifest: SiteManifest, bytes: number, inlined: Inlined): string {
  const { title, model } = manifest;
  const script = inlined?.get('page.js');
  const own = script === undefined ? "'self'" : `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
  const policy = [
    "default-src 'none'",
    `script-src ${own} 'wasm-unsafe-eval'${inlined ? ' blob:' : ''}`,
    `worker-src ${inlined ? 'blob:' : "'self'"}`,
    `connect-src ${inlined ? '' : "'self' "}blob:`,
    `img-src ${inlined ? '' : "'self' "}blob: data:`,
    'media-src blob:',
    "style-src 'unsafe-inline'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${pageStyles}${siteStyles}</style>
</head>
<body>
<header><h1>${title}</h1>
<p>${model.kind === 'fusion' ? 'Give it a picture: it says what it sees.' : 'Write the beginning of a text: it goes on.'} The model runs in this page, on your machine; nothing that you give it leaves your browser.</p></header>
<main id="app">
<p id="status" role="status">Loading…</p>
${model.kind === 'fusion' ? captionParts() : textParts()}
<section aria-labelledby="about"><h2 id="about">About this model</h2>
${about(manifest, bytes)}</section>
</main>
<footer>Made with tokenfuse ${manifest.tokenfuse}.</footer>
`;
  // Raw text: base64 has nothing that HTML could take for markup, and the script is searched for the one thing that ends it.
  const files = [...(inlined ?? [])].filter(([name]) => name !== 'page.js');
  const data = files.map(
    ([name, content]) =>
      `<script type="text/plain" data-file="${name}">${Buffer.from(content).toString('base64')}</script>\n`,
  );
  return `${page.markup}${data.join('')}${scriptElement(script)}\n</body>\n</html>\n`;
}

function scriptElement(script: Uint8Array | undefined): string {
  if (script === undefined) return '<script src="page.js"></script>';
  const text = new TextDecoder().decode(script);
  if (/<\/script|<!--/i.test(text)) throw new Error('page.js: expected nothing in it that ends a script element');
  return `<script>${text}</script>`;
}

function captionParts(): SafeHtml {
  return html`<div class="columns">
<section class="card" aria-label="Picture">
<div id="picture" class="overlay"><canvas id="pixels" width="1" height="1" role="img" aria-label="The picture as the model reads it"></canvas><span id="cells" class="cells"></span><span class="empty muted">Drop or paste a picture here</span></div>
<div class="actions"><label class="action" for="file">Choose a picture</label><input id="file" class="visually-hidden" type="file" accept="image/*">
<button type="button" id="camera" class="action">Use the camera</button></div>
<div id="camera-panel" hidden><video id="video" playsinline muted aria-label="What the camera sees"></video>
<div class="actions"><button type="button" id="take" class="action">Take the picture</button><button type="button" id="cancel" class="action">Cancel</button></div></div>
<div id="examples" class="examples" role="group" aria-label="Examples"></div>
</section>
<section class="card" aria-label="Caption">
<p id="caption" class="caption" aria-live="polite" data-state="idle"></p>
<div id="words" class="words" role="group" aria-label="Words of the caption"></div>
<p id="note" class="note" aria-live="polite"></p>
<p class="legend muted">Point at a word, or move to it with Tab: the clearer a patch of the picture, the more the word attends to it. The bar is what the word drew on: ${legend()}.</p>
<label class="switch"><input id="bridge" type="checkbox" role="switch" checked><span>Bridge groups on</span></label>
<p class="muted">The bridge is what joined the two models; without it they are as they were before.</p>
<dl id="both"></dl>
<p id="references" class="muted"></p>
<p id="time" class="muted"></p>
</section>
</div>`;
}

function textParts(): SafeHtml {
  return html`<section class="card" aria-label="Text">
<label for="prompt">Beginning of the text</label>
<textarea id="prompt" rows="4" spellcheck="false"></textarea>
<div class="actions"><button type="button" id="continue" class="action" disabled>Continue</button>
<label class="switch"><input id="drawn" type="checkbox" role="switch"><span>Draw the words at random</span></label></div>
<div id="prompts" class="words" role="group" aria-label="Beginnings to try"></div>
<p id="continuation" class="continuation" aria-live="polite" data-state="idle"></p>
<p id="time" class="muted"></p>
</section>`;
}

function legend(): SafeHtml {
  const groups = [
    ['vision', 'vision'],
    ['language', 'language'],
    ['textBridge', 'bridge on text'],
    ['imageBridge', 'bridge on the picture'],
  ];
  return html`${groups.map(([group, label], i) => html`${i > 0 && ', '}<span class="key"><i class="from-${group}"></i>${label}</span>`)}`;
}

function about({ parameters, weights, loss }: SiteManifest, bytes: number): SafeHtml {
  const weightBytes = weights.shards.reduce((sum, shard) => sum + shard.bytes, 0);
  return html`<dl><dt>parameters</dt><dd>${formatCount(parameters)}</dd>
<dt>weights</dt><dd>${loss.precision}, ${megabytes(weightBytes)}</dd>
<dt>whole page</dt><dd>${megabytes(bytes)}</dd>
<dt>runs on</dt><dd id="engine">…</dd>
${lossLines(loss).map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>`;
}

/** What the precision of the weights costs, in words. */
export function lossLines({ logits, sameToken, captions }: PrecisionLoss): [name: string, text: string][] {
  const lines: [string, string][] = [
    [
      'loss of precision',
      `logits change by at most ${logits.change.toPrecision(2)} (the largest is ${logits.largest.toPrecision(2)}) on drawn inputs; ` +
        `the likeliest token stays the same in ${(100 * sameToken).toFixed(1)} % of places`,
    ],
  ];
  if (captions !== undefined) {
    const change = ({ before, after }: Change, digits: number): string =>
      `${before.toFixed(digits)} before, ${after.toFixed(digits)} with these weights`;
    lines.push(
      [`caption NLL, ${captions.images} images`, `${change(captions.nll, 5)} (nats per token)`],
      ['CIDEr-D', change(captions.ciderD, 4)],
      ['captions that stay the same', `${captions.sameCaptions} of ${captions.images}`],
    );
  }
  return lines;
}

/** `3.70 MB` */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}
