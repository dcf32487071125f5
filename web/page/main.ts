/** @file The page: asks its worker and shows the answers. */
import type { SiteManifest } from '../manifest.js';
import { captionView } from './captionView.js';
import { element, setStatus } from './elements.js';
import type { Answer, Request } from './messages.js';
import { siteFiles } from './siteFiles.js';
import { textView } from './textView.js';

type OpenRequest = Extract<Request, { kind: 'open' }>;

/** A view of what the worker says of the requests that it made. */
export interface View {
  answer(answer: Exclude<Answer, { kind: 'ready' | 'failed' }>): void;
  /** The model is ready. */
  ready(): void;
}

async function start(): Promise<void> {
  const files = siteFiles();
  const worker = files.startWorker();
  const ask = (request: Request): void => worker.postMessage(request);
  const read = (name: string): Promise<Uint8Array> => files.read(name);
  const manifest = JSON.parse(new TextDecoder().decode(await read('model.json'))) as SiteManifest;
  const view = manifest.model.kind === 'fusion' ? captionView(manifest, files, ask) : textView(manifest, ask);
  worker.onerror = (event) => setStatus(`the page's worker failed: ${event.message}`, true);
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    if (data.kind === 'failed') setStatus(data.message, true);
    else if (data.kind !== 'ready') view.answer(data);
    else {
      setStatus('Ready.');
      element('engine').textContent = `${data.engine}; started in ${data.seconds.toFixed(1)} s`;
      view.ready();
    }
  };
  const [backend, kernels, ...shards] = await Promise.all(
    ['tfjs-backend-wasm-simd.wasm', 'kernels.wasm', ...manifest.weights.shards.map(({ file }) => file)].map(read),
  );
  // For checks: ?engine=wasm names an engine, and with &software webgpu may be emulated.
  const wanted = new URLSearchParams(location.search);
  const engine = (wanted.get('engine') ?? 'auto') as OpenRequest['engine'];
  const options = { wasmCode: { backend, kernels }, allowSoftwareAdapter: wanted.has('software') };
  ask({ kind: 'open', manifest, shards, engine, options });
}

start().catch((error: unknown) => {
  const remedy =
    'Browsers let no page read files beside it: open it through a web server, or export with --single-file.';
  const reason = error instanceof Error ? error.message : String(error);
  setStatus(location.protocol === 'file:' ? `${remedy} (${reason})` : reason, true);
});
