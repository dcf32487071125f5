/** @file The worker of a page: the model and its engine. It makes no request; the page hands it all files. */
import { captionTraces } from '#evaluation/traces';
import { captionCandidates, imageStates, type JointModel, jointModelOf } from '#fusion';
import { createTokenizer, generateText, type LanguageModel, languageModelOf } from '#language';
import { describeEngine, selectEngine, tf } from '#src/engine';
import { pixelValuesOf } from '#vision';
import type { SiteManifest } from '../manifest.js';
import { decodeWeights } from '../weights/index.js';
import type { Answer, Request } from './messages.js';

/** The part of a worker's scope that is used here; the compiler's types are those of pages. */
interface WorkerScope {
  onmessage: ((event: { readonly data: Request }) => void) | null;
  postMessage(answer: Answer): void;
}

type Opened = { readonly manifest: SiteManifest } & (
  | { readonly joint: JointModel }
  | { readonly language: Pick<LanguageModel, 'tree' | 'config' | 'tokenizer'> }
);

const scope = globalThis as unknown as WorkerScope;
const say = (answer: Answer): void => scope.postMessage(answer);

let opened: Opened | undefined;
/** Requests are answered one after another. */
let last: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  last = last
    .then(() => answer(data))
    .catch((error: unknown) =>
      say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
};

async function answer(request: Request): Promise<void> {
  if (request.kind === 'open') opened = await open(request);
  else if (opened === undefined) throw new Error('the model is not open');
  else if (request.kind === 'caption' && 'joint' in opened) await caption(opened.joint, opened.manifest, request);
  else if (request.kind === 'continue' && 'language' in opened) await continueText(opened.language, request);
}

async function open({ manifest, shards, engine, options }: Extract<Request, { kind: 'open' }>): Promise<Opened> {
  const started = performance.now();
  const info = await selectEngine(engine, options);
  const tensors = decodeWeights(manifest.weights, shards);
  const tokenizer = createTokenizer(manifest.encoding);
  const { model } = manifest;
  const opened: Opened =
    model.kind === 'fusion'
      ? { manifest, joint: jointModelOf(model.config, tensors, tokenizer) }
      : { manifest, language: languageModelOf(model.config.backbone, tensors, tokenizer) as LanguageModel };
  say({ kind: 'ready', engine: describeEngine(info), seconds: secondsSince(started) });
  return opened;
}

async function caption(
  model: JointModel,
  { decoding }: SiteManifest,
  { id, pixels, bridge }: Extract<Request, { kind: 'caption' }>,
): Promise<void> {
  const started = performance.now();
  const { imageSize } = model.config.vision.backbone;
  const states = tf.tidy(() => imageStates(model, pixelValuesOf([pixels], imageSize), { bridge }));
  try {
    const onProgress = ([text]: readonly string[]): void => say({ kind: 'progress', id, text });
    const [[best]] = await captionCandidates(model, states, { decoding, bridge, onProgress });
    say({ kind: 'done', id, text: best.caption, logProb: best.logProb, seconds: secondsSince(started) });
    const cache = { states: () => states.clone() };
    const traces = await captionTraces(model, cache, [0], [best.caption], { bridge });
    say({ kind: 'trace', id, words: traces?.[0].words });
  } finally {
    states.dispose();
  }
}

async function continueText(
  model: Pick<LanguageModel, 'tree' | 'config' | 'tokenizer'>,
  { id, prompt, decoding }: Extract<Request, { kind: 'continue' }>,
): Promise<void> {
  const started = performance.now();
  const onProgress = (text: string): void => say({ kind: 'progress', id, text });
  const [best] = await generateText(model, prompt, decoding, { onProgress });
  say({ kind: 'done', id, text: best.text, logProb: best.logProb, seconds: secondsSince(started) });
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1000;
}
