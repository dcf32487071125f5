import { appendFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BRIDGE_PARTS, describePlan, type FusionInput, fusionMethods, planMerge } from '#fusion';
import { trainBpe, writeBpeModel } from '#language';
import { type HostTensor, readSafetensors, writeSafetensors } from '#src/storage';
import { LAYER_NAMES } from '#src/tokenformer';
import { createVisionParameters, type VisionConfig } from '#vision';
import { fileOf } from '../support/safetensorsBytes.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { TINY_STACK, type TinyBackboneOptions, writeTinyBackbones } from '../support/tinyBackbones.js';
import { tinyRecipe } from '../support/tinyJointModel.js';

function problemsOf(fusion: FusionInput, backbones: TinyBackboneOptions): string[] {
  const folder = temporaryFolder();
  writeTinyBackbones(folder, backbones);
  const { plan, problems } = planMerge(tinyRecipe(fusion), folder);
  expect(plan === undefined).toBe(problems.length > 0);
  for (const problem of problems) expect(problem).not.toContain('\n');
  return problems;
}

describe('planMerge', () => {
  it('lists every group of every layer, with its tokens and parameters', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const { plan } = planMerge(tinyRecipe(), folder);
    const { numLayers, dModel, ffnParamTokens } = TINY_STACK;
    expect(plan!.groups).toHaveLength(numLayers * (2 * LAYER_NAMES.length + BRIDGE_PARTS.length));
    expect(plan!.groups.filter(({ block, layer }) => block === 1 && layer === 'ffn')).toEqual(
      (['vision', 'language'] as const).map((name) => ({
        block: 1,
        layer: 'ffn',
        group: name,
        origin: name,
        stream: name === 'vision' ? 'image' : 'text',
        numParamTokens: ffnParamTokens,
        path: 'block1/ffn',
        dIn: dModel,
        dOut: dModel,
        parameters: 2 * ffnParamTokens * dModel,
      })),
    );
    expect(plan!.gates).toEqual([]);
  });

  it('says in lines of at most 80 columns what the merge will be', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    for (const { name, description, changesBackbones } of fusionMethods()) {
      const lines = describePlan(planMerge(tinyRecipe({ method: name }), folder).plan!);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
      expect(lines.map((line) => line.trim()).join(' ')).toContain(description.slice(0, -1));
      expect(lines.some((line) => line.startsWith('changes'))).toBe(changesBackbones);
    }
    const lines = describePlan(planMerge(tinyRecipe({ method: 'grouped' }), folder).plan!);
    for (const word of ['grouped', 'tokenizer', '16 px', 'memory', 'bridge', 'gates'])
      expect(lines.join('\n')).toContain(word);
    expect(lines.join('\n')).not.toContain('image gate');
    const closed = planMerge(tinyRecipe({ imageGate: 'closed' }), folder).plan!;
    const { numLayers, numHeads } = closed.config.language.backbone.stack;
    const open = planMerge(tinyRecipe(), folder).plan!;
    expect(closed.parameters.fusion).toBe(open.parameters.fusion + numLayers * numHeads);
    const [gateLine] = describePlan(closed).filter((line) => line.startsWith('image gate'));
    expect(gateLine.length).toBeLessThanOrEqual(80);
  });

  it('writes nothing', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const before = readdirSync(folder, { recursive: true });
    planMerge(tinyRecipe(), folder);
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
  });

  for (const method of ['grouped', 'union'] as const) {
    it(`refuses backbones of different widths under ${method}, naming what differs`, () => {
      const problems = problemsOf({ method }, { vision: { dModel: 16, numLayers: 3 } });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toContain('dModel 16 (vision) and 8 (language), numLayers 3 (vision) and 2 (language)');
      expect(problems[0]).not.toContain('numHeads');
      expect(problems[0]).toContain("use 'routed'");
    });
  }

  it('reads headers alone: tensors of sixteen gigabytes do not slow it down', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const model = editModel(join(folder, 'vision'), ({ backbone }) => {
      backbone.stack.ffnParamTokens = 2 ** 27;
    });
    let end = 0;
    const entries = [...createVisionParameters(model.backbone, 0)].map(([name, { shape }]) => {
      const start = end;
      end += 4 * shape.reduce((product, n) => product * n, 1);
      return [name, { dtype: 'F32', shape, data_offsets: [start, end] }];
    });
    const path = join(folder, 'vision', 'model.safetensors');
    const header = fileOf(JSON.stringify(Object.fromEntries(entries)), new Uint8Array(0));
    writeFileSync(path, header);
    // The file has a hole where the values would be.
    truncateSync(path, header.length + end);
    const { plan, problems } = planMerge(tinyRecipe(), folder);
    expect(problems).toEqual([]);
    expect(plan!.bytes).toBeGreaterThan(2 ** 34);
  });

  it('reports every problem at once', () => {
    const problems = problemsOf({ method: 'union' }, { vision: { dModel: 16, normActivation: 'softmax' } });
    expect(problems).toHaveLength(3);
    expect(problems.join('\n')).toContain('normActivation softmax (vision) and l2NormGelu (language)');
    expect(problems.join('\n')).toContain('dModel 16');
    expect(problems.join('\n')).toContain(
      'expected a normActivation with a τ for groups under one norm (l2NormGelu, geluL2Norm), got softmax',
    );
  });

  it('reports two missing backbones as two problems', () => {
    const { problems } = planMerge(tinyRecipe(), temporaryFolder());
    expect(problems).toHaveLength(2);
    expect(problems[0]).toMatch(/^vision: cannot find a model/);
    expect(problems[1]).toMatch(/^language: cannot find a model/);
  });

  it('reports backbones that were given the wrong way round', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const { problems } = planMerge({ ...tinyRecipe(), vision: 'language', language: 'vision' }, folder);
    expect(problems).toEqual([
      'vision: language holds a language model; expected a vision model',
      'language: vision holds a vision model; expected a language model',
    ]);
  });

  it('reports a tokenizer that is not beside its model', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    rmSync(join(folder, 'language', 'tokenizer.json'));
    const { problems } = planMerge(tinyRecipe(), folder);
    const path = join(folder, 'language', 'tokenizer.json');
    expect(problems).toEqual([`language: cannot read checkpoint file ${path}: no such file`]);
  });

  it('reports a tokenizer that is not the one of the model', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    writeBpeModel(join(folder, 'language', 'tokenizer.json'), trainBpe({ texts: ['other words'], vocabSize: 260 }));
    rmSync(join(folder, 'language', 'manifest.json'));
    expect(planMerge(tinyRecipe(), folder).problems[0]).toContain('fingerprints differ');
  });

  it('reports an embedding of fewer rows than its tokenizer has tokens', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    editModel(join(folder, 'language'), ({ backbone }) => {
      backbone.vocabSize -= 10;
    });
    const { problems } = planMerge(tinyRecipe(), folder);
    expect(problems[0]).toMatch(/'language\/tokenEmbedding': expected \[\d+,8\] by its model.json/);
    expect(problems[1]).toMatch(/its tokenizer bpe-\d+ has \d+ tokens, its embedding only \d+ rows/);
  });

  it('reports tensors whose shape is not what the model says', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    editModel(join(folder, 'vision'), ({ backbone }) => {
      backbone.stack.ffnParamTokens = 11;
    });
    const { problems } = planMerge(tinyRecipe(), folder);
    expect(problems).toHaveLength(2 * TINY_STACK.numLayers);
    expect(problems[0]).toContain("'block0/ffn/vision/keyParamTokens': expected [11,8] by its model.json, got [10,8]");
  });

  it.each<[string, (tensors: Map<string, HostTensor>) => void, string[]]>([
    [
      'that is missing',
      (tensors) => {
        tensors.delete('vision/positionEmbedding');
        tensors.delete('block0/ffn/vision/tau');
      },
      ["has no tensor 'vision/positionEmbedding'", "has no tensor 'block0/ffn/vision/tau'"],
    ],
    [
      'that is left over',
      (tensors) => tensors.set('vision/more', { shape: [1], values: Float32Array.of(0) }),
      ["'vision/more': the model has no parameter of that name"],
    ],
    [
      'of whole numbers',
      (tensors) => tensors.set('vision/patchEmbedding/bias', { shape: [8], values: new Int32Array(8) }),
      ["'vision/patchEmbedding/bias': expected float32 (F32), got I32"],
    ],
  ])('reports every tensor %s', (_, change, expected) => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const path = join(folder, 'vision', 'model.safetensors');
    const { tensors } = readSafetensors(path);
    change(tensors);
    writeSafetensors(path, tensors);
    rmSync(join(folder, 'vision', 'manifest.json'));
    const { problems } = planMerge(tinyRecipe(), folder);
    expect(problems.sort()).toEqual(expected.map((problem) => `${path}: ${problem}`).sort());
  });

  it('reports a file of another size than its manifest says', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    appendFileSync(join(folder, 'language', 'model.json'), ' ');
    expect(planMerge(tinyRecipe(), folder).problems[0]).toMatch(/^language: .*model\.json: damaged: it has \d+ bytes/);
  });

  it('reports that nothing would carry the image when the shapes differ and no bridge reads it', () => {
    const none = problemsOf({ bridge: { tokens: 0, parts: [...BRIDGE_PARTS] } }, { vision: { dModel: 16 } });
    expect(none[0]).toContain("expected the part 'imageValue'");
    expect(problemsOf({ bridge: { tokens: 0, parts: [...BRIDGE_PARTS] } }, {})).toEqual([]);
  });
});

interface EditedConfig {
  backbone: VisionConfig & { vocabSize: number };
}

/** Changes the configuration of a checkpoint, as of one from before there were manifests. */
function editModel(directory: string, change: (config: EditedConfig) => void): EditedConfig {
  const path = join(directory, 'model.json');
  const model = JSON.parse(readFileSync(path, 'utf8'));
  change(model.config);
  writeFileSync(path, JSON.stringify(model));
  rmSync(join(directory, 'manifest.json'));
  return model.config;
}
