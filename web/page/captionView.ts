import type { SiteManifest } from '../manifest.js';
import { camera } from './camera.js';
import { costLine } from './costLine.js';
import { element, make, setStatus } from './elements.js';
import type { View } from './main.js';
import type { Answer, Request } from './messages.js';
import { preparePicture } from './preparePicture.js';
import type { SiteFiles } from './siteFiles.js';
import { showPixels, wordButtons } from './wordButtons.js';

/** Takes pictures from files, the clipboard, the camera and the examples, and shows their captions. */
export function captionView(manifest: SiteManifest, files: SiteFiles, ask: (request: Request) => void): View {
  const { vision } = (manifest.model as Extract<SiteManifest['model'], { kind: 'fusion' }>).config;
  const output = element('caption');
  const words = element('words');
  const note = element('note');
  const bridge = element<HTMLInputElement>('bridge');
  /** The picture, as the model reads it. */
  let pixels: Uint8Array | undefined;
  let asked = 0;
  let shown = 0;
  /** Of the picture: with the bridge, and without. */
  let captions = new Map<boolean, string>();
  let isReady = false;

  function caption(): void {
    if (pixels === undefined || !isReady) return;
    asked++;
    output.textContent = '';
    output.dataset.state = 'busy';
    words.replaceChildren();
    note.textContent = '';
    ask({ kind: 'caption', id: asked, pixels, bridge: bridge.checked });
  }

  async function show(
    source: Blob | HTMLVideoElement,
    name: string,
    references: readonly string[] = [],
  ): Promise<void> {
    output.dataset.state = 'busy';
    // What is still to come of the picture before is of no interest, nor a picture that took longer than one after it.
    asked++;
    const turn = ++shown;
    try {
      const prepared = await preparePicture(source, vision);
      if (turn !== shown) return;
      pixels = prepared;
    } catch (error) {
      setStatus((error as Error).message, true);
      output.dataset.state = 'idle';
      return;
    }
    setStatus(`${name}: ${vision.backbone.imageSize} × ${vision.backbone.imageSize} pixels, as the model reads it`);
    showPixels(pixels, vision.backbone);
    element('references').textContent = references.length === 0 ? '' : `People wrote: ${references[0]}`;
    captions = new Map();
    showBoth();
    caption();
  }

  function showBoth(): void {
    const both = element('both');
    both.replaceChildren();
    if (captions.size < 2) return;
    for (const on of [true, false]) {
      const text = captions.get(on);
      both.append(make('dt', {}, on ? 'with the bridge' : 'without it'), make('dd', {}, text || '(nothing)'));
    }
  }

  const fileInput = element<HTMLInputElement>('file');
  fileInput.addEventListener('change', () => {
    const [file] = fileInput.files ?? [];
    if (file) void show(file, file.name);
    fileInput.value = '';
  });
  const drop = element('picture');
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    drop.classList.add('dropping');
  });
  document.addEventListener('dragleave', () => drop.classList.remove('dropping'));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('dropping');
    const [file] = event.dataTransfer?.files ?? [];
    if (file) void show(file, file.name);
  });
  document.addEventListener('paste', (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'));
    if (file) void show(file, 'Pasted picture');
  });
  camera((video) => void show(video, 'Camera'));
  bridge.addEventListener('change', caption);

  const examples = manifest.examples.map(({ file, name, references }, i) => {
    const button = make(
      'button',
      { type: 'button', className: 'example', title: name },
      make('img', { src: files.url(file), alt: `Example ${i + 1}: ${references[0] ?? name}` }),
    );
    button.addEventListener('click', async () => {
      await show(
        new Blob([(await files.read(file)) as Uint8Array<ArrayBuffer>], { type: 'image/png' }),
        name,
        references,
      );
    });
    return button;
  });
  element('examples').replaceChildren(...examples);

  return {
    ready: () => {
      isReady = true;
      if (pixels === undefined) examples[0]?.click();
      else caption();
    },
    answer: (answer: Exclude<Answer, { kind: 'ready' | 'failed' }>) => {
      // Of a picture that is no longer shown.
      if (answer.id !== asked) return;
      if (answer.kind === 'progress') output.textContent = answer.text;
      else if (answer.kind === 'done') {
        output.textContent = answer.text || '(nothing)';
        output.dataset.state = 'done';
        captions.set(bridge.checked, answer.text);
        showBoth();
        element('time').textContent = costLine(answer);
      } else {
        words.replaceChildren(...wordButtons(answer.words ?? [], note));
        output.dataset.state = 'traced';
        if (answer.words === undefined) note.textContent = 'This way of fusing has no groups to tell apart.';
      }
    },
  };
}
