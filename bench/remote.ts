/**
 * @file Tokens per second of a language model whose groups another process holds, against the delay of the link:
 * `npm run bench:remote -- [engine] [rounds] [tokens]`.
 *
 * A delay is what the link adds to a round trip. The local model and all links take turns within a round; figures are medians.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  createLanguageParameters,
  Decoding,
  generateText,
  type LanguageModel,
  type LanguageModelConfig,
  loadLanguageModel,
  loadTokenizer,
  TOKENIZER_FILE,
  trainBpe,
  writeBpeModel,
} from '#language';
import { type EngineName, selectEngine } from '#src/engine';
import { connectRemote, type RemoteParams } from '#src/remote';
import { readBytes } from '#src/storage';
import { TokenFormerConfig } from '#src/tokenformer';
import { writeCheckpoint } from '#src/training';
import type { DelayProxyData } from './delayProxy.js';
import { median } from './statistics.js';

const DELAYS = [0, 1, 5, 20];
/** What the server holds. */
const HELD = { 'all groups': 'language', 'feed-forward': 'block*/ffn/language' };
const STACK = TokenFormerConfig.parse({
  ...{ dModel: 256, numLayers: 6, numHeads: 4, rotaryShare: 0.25 },
  ...{ qkvParamTokens: 256, outputParamTokens: 256, ffnParamTokens: 1024 },
});

const [engine = 'auto', rounds = '5', tokens = '24'] = process.argv.slice(2);
const decoding = Decoding.parse({ method: 'greedy', maxTokens: Number(tokens), minTokens: Number(tokens) });
const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-remote-'));

/** One model and the link to its server; none for the local one. */
interface Side {
  readonly name: string;
  readonly delay: number | undefined;
  readonly model: LanguageModel;
  readonly remote?: RemoteParams;
  readonly seconds: number[];
}

function writeModel(path: string): void {
  writeBpeModel(join(folder, TOKENIZER_FILE), trainBpe({ texts: ['one two three', 'four five six'], vocabSize: 270 }));
  const tokenizer = loadTokenizer({ kind: 'bpe', path: TOKENIZER_FILE }, { baseDir: folder });
  const config: LanguageModelConfig = {
    backbone: { vocabSize: tokenizer.vocabSize, seqLen: 256, stack: STACK },
    tokenizer: { kind: 'bpe', path: TOKENIZER_FILE },
    tokenizerFingerprint: tokenizer.fingerprint,
  };
  tokenizer.dispose();
  writeCheckpoint(path, {
    model: { kind: 'language', config },
    tensors: createLanguageParameters(config.backbone, 1),
    assets: new Map([[TOKENIZER_FILE, readBytes(join(folder, TOKENIZER_FILE), 'tokenizer')]]),
  });
}

/** Starts a link of that delay to the server. */
async function linkTo(to: number, delayMs: number): Promise<{ url: string; thread: Worker }> {
  const workerData: DelayProxyData = { to, delayMs };
  const thread = new Worker(new URL('./delayProxy.js', import.meta.url), { workerData });
  const [port] = (await once(thread, 'message')) as [number];
  return { url: `http://127.0.0.1:${port}`, thread };
}

const path = join(folder, 'model');
writeModel(path);
const { name, device } = await selectEngine(engine as 'auto' | EngineName);
const program = fileURLToPath(new URL('../experiments/main.js', import.meta.url));
const words = ['serve-params', path, '--port', '0', '--engine', engine];
const server = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
const threads: Worker[] = [];
const sides: Side[] = [{ name: 'local', delay: undefined, model: loadLanguageModel(path), seconds: [] }];
try {
  let port = 0;
  for await (const line of createInterface(server.stdout)) {
    port = Number(/^serving at \S+:(\d+)/.exec(line)?.[1] ?? 0);
    if (port > 0) break;
  }
  for (const [held, groups] of Object.entries(HELD)) {
    for (const delay of DELAYS) {
      const { url, thread } = await linkTo(port, delay);
      threads.push(thread);
      const model = loadLanguageModel(path);
      const remote = connectRemote({
        ...{ url, token: undefined, groups, timeoutMs: 10_000, retries: 0, onFailure: 'error' },
        say: console.error,
      });
      await remote.takeOver(model.tree, new Map());
      sides.push({ name: held, delay, model, remote, seconds: [] });
    }
  }
  for (let round = -1; round < Number(rounds); round++) {
    for (const { model, seconds } of sides) {
      const started = performance.now();
      await generateText(model, '', decoding);
      if (round >= 0) seconds.push((performance.now() - started) / 1000);
    }
  }
  report();
} finally {
  for (const { model, remote } of sides) {
    remote?.close();
    model.dispose();
  }
  for (const thread of threads) await thread.terminate();
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}

function report(): void {
  const parameters = [...createLanguageParameters({ vocabSize: 1, seqLen: 1, stack: STACK }, 0)].reduce(
    (sum, [, { shape }]) => sum + shape.reduce((product, n) => product * n, 1),
    0,
  );
  console.log(
    `${name}: ${device}; ${(parameters / 1e6).toFixed(1)} M parameters, ${STACK.numLayers} blocks, ${rounds} rounds of ${tokens} tokens\n`,
  );
  console.log(
    '| at the server | delay, ms | tokens/s | of local | ms/token | round trips/token | kB sent/token | kB received/token |',
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  const local = median(sides[0].seconds);
  const made = Number(tokens) * (Number(rounds) + 1);
  for (const { name: held, delay, seconds, remote } of sides) {
    const time = median(seconds);
    const usage = remote?.usage();
    const per = (count: number, digits: number): string => (count / made).toFixed(digits);
    const cells = [
      ...[
        delay === undefined ? 'nothing' : held,
        delay ?? '',
        (Number(tokens) / time).toFixed(1),
        (local / time).toFixed(3),
      ],
      ((1000 * time) / Number(tokens)).toFixed(1),
      ...(usage
        ? [per(usage.roundTrips - 1, 1), per(usage.bytesSent / 1000, 1), per(usage.bytesReceived / 1000, 1)]
        : ['', '', '']),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
