import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AlignExperiment, backboneHashes, type FusionInput, fusionParameters, JointModelConfig } from '#fusion';
import { TextDataConfig } from '#language';
import { selectEngine, tf } from '#src/engine';
import { readSafetensorsHeader } from '#src/storage';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, readCheckpoint } from '#src/training';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { rejectedLine } from '../../support/thrown.js';
import { alignTiny, tinyAlignment } from '../../support/tinyAlign.js';
import { writeTinyBackbones } from '../../support/tinyBackbones.js';
import { writeTinyCaptions } from '../../support/tinyCaptions.js';
import { mergeTiny } from '../../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

/** A folder with a merged model and captions, ready to be aligned. */
async function prepared(fusion: FusionInput = {}): Promise<string> {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  await writeTinyCaptions(folder);
  mergeTiny(folder, fusion);
  return folder;
}

/** Tells the parameters that fusion added to the model in `folder`. */
function fusionParametersIn(folder: string): (name: string) => boolean {
  return fusionParameters(JointModelConfig.parse(readCheckpoint(join(folder, 'merged')).model.config));
}

/** A metric by step. */
function metric(runDir: string, name: string): [number, number][] {
  return readMetrics(runDir).flatMap(({ step, values }) =>
    name in values ? [[step, values[name]] as [number, number]] : [],
  );
}

describe('align', () => {
  it('lowers the loss of the captions it learns from', async () => {
    const folder = await prepared();
    const training = { steps: 60, learningRate: 0.05, warmupSteps: 5, evaluateEvery: 30, checkpointEvery: 60 };
    const { runDir } = await alignTiny(folder, tinyAlignment({ training }));
    const nll = metric(runDir, 'validation/captionNll');
    expect(nll.map(([step]) => step)).toEqual([0, 30, 60]);
    expect(nll[2][1]).toBeLessThan(0.7 * nll[0][1]);
  });

  it.each<[AlignExperiment['train'], FusionInput]>([
    ['bridge', {}],
    ['bridge', { imageGate: 'closed' }],
    ['all', {}],
  ])('trains the same parameters when blocks are computed again for their gradient: %s, %o', async (what, fusion) => {
    const folder = await prepared(fusion);
    const runs = [];
    for (const more of [{}, { recompute: true }]) {
      const training = { steps: 3, evaluateEvery: 3, checkpointEvery: 3, ...more };
      runs.push(await alignTiny(folder, tinyAlignment({ train: what, training }), `align${runs.length}`));
    }
    const [kept, again] = runs.map(({ runDir }) => readCheckpoint(findCheckpoint(runDir)).tensors);
    expect(again).toEqual(kept);
  });

  it('refuses to compute blocks again where each keeps a cache', async () => {
    const folder = await prepared({ method: 'prefix' });
    const training = { recompute: true };
    expect(await rejectedLine(alignTiny(folder, tinyAlignment({ training })))).toBe(
      "training.recompute: has no effect with method 'prefix': text reads the image through the caches of its blocks, which keep what they compute; leave it out",
    );
  });

  it('trains the bridge alone: every backbone tensor keeps its bytes and only bridge parameters have moments', async () => {
    const folder = await prepared();
    const { runDir, backbonesKept, lines } = await alignTiny(folder);
    const before = backboneHashes(join(folder, 'merged'));
    expect(backboneHashes(findCheckpoint(runDir))).toEqual(before);
    expect(backbonesKept).toEqual({ kept: before.size, total: before.size });

    const [merged, aligned] = [join(folder, 'merged'), findCheckpoint(runDir)].map(
      (path) => readCheckpoint(path).tensors,
    );
    const isFusionParameter = fusionParametersIn(folder);
    const bridge = [...merged.keys()].filter((name) => isFusionParameter(name) && !name.endsWith('/tau'));
    const moved = bridge.filter((name) => Buffer.compare(bytesOf(merged, name), bytesOf(aligned, name)) !== 0);
    expect(moved).toEqual(bridge);
    const moments = readSafetensorsHeader(join(findCheckpoint(runDir), 'optimizer.safetensors')).tensors;
    expect([...moments.keys()]).toEqual(bridge.flatMap((name) => [`${name}/adamM`, `${name}/adamV`]));
    expect(lines.join('\n')).toMatch(/language backbone +0 +[\d,]+\n/);
  });

  it('takes the tokenizer along, and the hashes of the merge as long as they hold', async () => {
    const folder = await prepared();
    const [{ runDir }, all] = [
      await alignTiny(folder),
      await alignTiny(folder, tinyAlignment({ train: 'all' }), 'all'),
    ];
    const assetsIn = (run: string): string[] => [...readCheckpoint(findCheckpoint(run)).assets.keys()].sort();
    expect(assetsIn(runDir)).toEqual(['merge_report.json', 'tokenizer.json']);
    expect(assetsIn(all.runDir)).toEqual(['tokenizer.json']);
  });

  it('counts what it trains and what it leaves', async () => {
    const folder = await prepared();
    const { trainableParameters, frozenParameters } = await alignTiny(folder);
    let [trained, frozen] = [0, 0];
    const isFusionParameter = fusionParametersIn(folder);
    for (const [name, { values }] of readCheckpoint(join(folder, 'merged')).tensors) {
      if (name.endsWith('/tau')) continue;
      if (isFusionParameter(name)) trained += values.length;
      else frozen += values.length;
    }
    expect({ trainableParameters, frozenParameters }).toEqual({
      trainableParameters: trained,
      frozenParameters: frozen,
    });
  });

  it('trains only the bridge groups that a list names', async () => {
    const folder = await prepared();
    const { runDir } = await alignTiny(folder, tinyAlignment({ train: ['value/imageBridge', 'query/textBridge'] }));
    const moments = readSafetensorsHeader(join(findCheckpoint(runDir), 'optimizer.safetensors')).tensors;
    const names = new Set([...moments.keys()].map((name) => name.split('/').slice(1, 4).join('/')));
    expect([...names].sort()).toEqual(['attention/query/textBridge', 'attention/value/imageBridge']);
  });

  for (const words of [['language'], ['block0/ffn/vision'], ['imageBridge', 'tokenEmbedding']]) {
    it(`refuses to train a backbone that 'train: [${words}]' names, and says what would`, async () => {
      const folder = await prepared();
      const refused = await rejectedLine(alignTiny(folder, tinyAlignment({ train: words })));
      expect(refused).toMatch(/^train: '\S+' belongs to a backbone/);
      expect(refused).toContain("'train: all'");
      expect(existsSync(join(folder, 'align'))).toBe(false);
    });
  }

  it.each([[['*/imageBridge/*']], [['value/imageBridge', 'imageBrigde']]])(
    'refuses %o, which names nothing, and lists the groups there are',
    async (words) => {
      const folder = await prepared();
      const refused = await rejectedLine(alignTiny(folder, tinyAlignment({ train: words })));
      expect(refused).toContain(`got '${words.at(-1)}'; this model has textBridge, imageBridge`);
      expect(refused).toMatch(/such as 'block0\/\S+'$/);
    },
  );

  it('takes captions as long as the language model was trained with, and refuses more', async () => {
    const folder = await prepared();
    const source = { captions: 'captions.json' };
    const experiment = (seqLen?: number) => tinyAlignment({ data: { train: source, validation: source, seqLen } });
    expect(await rejectedLine(alignTiny(folder, experiment(129)))).toBe(
      'data.seqLen: expected at most 128, the seqLen that the language model was trained with, got 129',
    );
    expect(existsSync(join(folder, 'align'))).toBe(false);
    // The same captions in batches as wide as the longest of them: the limit itself changes nothing.
    const [free, given] = [await alignTiny(folder, experiment()), await alignTiny(folder, experiment(128), 'given')];
    expect(free.bestValue).toBe(given.bestValue);
  });

  it('refuses a merge that has nothing to train', async () => {
    const folder = await prepared({ bridge: { tokens: 0, parts: [] } });
    expect(await rejectedLine(alignTiny(folder))).toContain('merge with bridge.tokens above 0');
  });

  it('changes both backbones under train: all', async () => {
    const folder = await prepared();
    const { runDir, backbonesKept, frozenParameters } = await alignTiny(folder, tinyAlignment({ train: 'all' }));
    expect([backbonesKept, frozenParameters]).toEqual([null, 0]);
    const before = backboneHashes(join(folder, 'merged'));
    const after = backboneHashes(findCheckpoint(runDir));
    const kept = [...before.keys()].filter((name) => before.get(name) === after.get(name));
    // Text does not read the vision backbone's own final norm, and τ is a constant.
    expect(kept.filter((name) => !name.endsWith('/tau')).sort()).toEqual([
      'vision/finalNorm/bias',
      'vision/finalNorm/scale',
    ]);
  });

  it('trains gates beside bridges under grouped', async () => {
    const folder = await prepared({ method: 'grouped' });
    const { runDir, lines } = await alignTiny(folder);
    const { tensors } = readCheckpoint(findCheckpoint(runDir));
    const gates = [...tensors].filter(([name]) => name.endsWith('Gate'));
    expect(gates).toHaveLength(2 * 7);
    expect(gates.every(([, { values }]) => values[0] !== 0)).toBe(true);
    expect(lines.join('\n')).toMatch(/gates +14 +0/);
  });

  it('opens a closed image gate, and keeps the start where nothing that it learns is better', async () => {
    const folder = await prepared({ imageGate: 'closed' });
    const { runDir, lines, bestValue, backbonesKept } = await alignTiny(folder);
    expect(lines.join('\n')).toMatch(/gates +4 +0/);
    expect(backbonesKept?.kept).toBe(backbonesKept?.total);
    const { tensors } = readCheckpoint(findCheckpoint(runDir, 'last'));
    const gates = [...tensors].filter(([name]) => name.endsWith('/imageGate'));
    expect(gates.map(([, { shape }]) => shape)).toEqual([[2], [2]]);
    expect(gates.every(([, { values }]) => values.every((value) => value !== 0))).toBe(true);
    const start = readMetrics(runDir)[0].values['validation/captionNll'];
    expect(bestValue).toBeLessThanOrEqual(start);
    // What the captions teach is of no use for a validation caption like no other.
    const images = [{ id: 1, file_name: 'red.png' }];
    const annotations = [{ image_id: 1, caption: 'ZQX7'.repeat(7) }];
    writeFileSync(join(folder, 'unlike.json'), JSON.stringify({ images, annotations }));
    const data = { ...tinyAlignment().data, validation: { captions: 'unlike.json' } };
    const unlike = await alignTiny(folder, tinyAlignment({ data, training: { learningRate: 0.1 } }), 'unlike');
    expect(unlike.bestStep).toBe(0);
    const kept = readCheckpoint(findCheckpoint(unlike.runDir)).tensors;
    for (const [name] of gates) expect([...kept.get(name)!.values], name).toEqual([0, 0]);
  });

  it.each([true, false])('opens it for backbones of other widths too, positionValues %s', async (positionValues) => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder, { vision: { dModel: 12 } });
    await writeTinyCaptions(folder);
    mergeTiny(folder, { imageGate: 'closed', positionValues });
    const { runDir } = await alignTiny(folder);
    const { tensors } = readCheckpoint(findCheckpoint(runDir, 'last'));
    for (const [name, { values }] of tensors) {
      if (name.endsWith('/imageGate') || name.endsWith('output/imageBridge/valueParamTokens'))
        expect(
          values.some((value) => value !== 0),
          name,
        ).toBe(true);
    }
  });

  it('adds the weighted loss of replayed text', async () => {
    const folder = await prepared();
    writeFileSync(join(folder, 'replay.txt'), 'a red square\nthe square is blue\n'.repeat(10));
    const text = TextDataConfig.parse({ files: ['replay.txt'], documents: 'line', layout: 'documents', seqLen: 16 });
    const losses: number[] = [];
    for (const weight of [undefined, 0.5, 1]) {
      const replay = weight === undefined ? undefined : { text, batchSize: 4, weight };
      const { runDir } = await alignTiny(folder, tinyAlignment({ replay }), `align-${weight}`);
      losses.push(metric(runDir, 'train/loss')[0][1]);
    }
    // Before the first step all three models are the same.
    expect(losses[1]).toBeGreaterThan(losses[0]);
    expect(losses[2] - losses[0]).toBeCloseTo(2 * (losses[1] - losses[0]), 4);
  });

  it('multiplies the loss of the tokens that rules name', async () => {
    const folder = await prepared();
    const training = { steps: 1, logEvery: 1 };
    const plain = await alignTiny(folder, tinyAlignment({ training }), 'plain');
    const rule = (weight: number) => [{ words: ['square', 'is'], schedule: [{ fromStep: 0, weight }] }];
    const same = await alignTiny(folder, tinyAlignment({ training, tokenWeights: rule(1) }), 'same');
    const heavy = await alignTiny(folder, tinyAlignment({ training, tokenWeights: rule(20) }), 'heavy');
    const loss = ({ runDir }: { runDir: string }): number => metric(runDir, 'train/loss')[0][1];
    expect(loss(same)).toBe(loss(plain));
    expect(loss(heavy)).not.toBeCloseTo(loss(plain), 3);
    // The weights are for training: validation stays the plain NLL.
    expect(metric(heavy.runDir, 'validation/captionNll')[0]).toEqual(metric(plain.runDir, 'validation/captionNll')[0]);
  });

  it('keeps the checkpoint that validation likes best', async () => {
    const folder = await prepared();
    // The rate is so high that the model gets worse after a while.
    const training = { steps: 30, learningRate: 1, evaluateEvery: 2, checkpointEvery: 30, clipNorm: 100 };
    const { runDir, bestStep, bestValue } = await alignTiny(folder, tinyAlignment({ training }));
    const nll = metric(runDir, 'validation/captionNll').filter(([step]) => step > 0);
    const best = nll.reduce((lowest, entry) => (entry[1] < lowest[1] ? entry : lowest));
    expect([bestStep, Math.fround(bestValue)]).toEqual([best[0], best[1]]);
    expect(bestStep).toBeLessThan(30);
    expect(findCheckpoint(runDir)).toContain(`step-${String(bestStep).padStart(7, '0')}`);
  });

  it('keeps the checkpoint whose captions are the likeliest in most tokens, where it is asked to', async () => {
    const folder = await prepared();
    const training = { steps: 20, learningRate: 0.3, evaluateEvery: 2, checkpointEvery: 20, clipNorm: 100 };
    const run = await alignTiny(folder, tinyAlignment({ training, selectBy: 'captionAccuracy' }));
    const accuracy = metric(run.runDir, 'validation/captionAccuracy').filter(([step]) => step > 0);
    const best = accuracy.reduce((highest, entry) => (entry[1] > highest[1] ? entry : highest));
    expect(run.bestStep).toBe(best[0]);
    expect(findCheckpoint(run.runDir)).toContain(`step-${String(best[0]).padStart(7, '0')}`);
    const plain = await alignTiny(folder, tinyAlignment({ training }), 'plain');
    const nll = (runDir: string) => metric(runDir, 'validation/captionNll');
    expect(nll(run.runDir)).toEqual(nll(plain.runDir));
    expect(metric(plain.runDir, 'validation/captionAccuracy')).toEqual([]);
  });

  it('gives the same numbers and the same model again', async () => {
    const folder = await prepared();
    const [first, second] = [await alignTiny(folder), await alignTiny(folder, tinyAlignment(), 'again')];
    const read = (runDir: string, ...path: string[]): Buffer => readFileSync(join(runDir, ...path));
    expect(read(second.runDir, 'metrics.jsonl')).toEqual(read(first.runDir, 'metrics.jsonl'));
    const [a, b] = [first, second].map(({ runDir }) => read(findCheckpoint(runDir), 'model.safetensors'));
    expect(Buffer.compare(a, b)).toBe(0);
  });

  it('leaves no tensor behind, whether it ends well or not', async () => {
    const folder = await prepared();
    const { numTensors } = tf.memory();
    await alignTiny(folder);
    expect(tf.memory().numTensors).toBe(numTensors);
    await rejectedLine(alignTiny(folder, tinyAlignment({ train: ['language'] }), 'refused'));
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});

function bytesOf(tensors: ReturnType<typeof readCheckpoint>['tensors'], name: string): Buffer {
  return Buffer.from(tensors.get(name)!.values.slice().buffer);
}
