import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BRIDGE_PARTS, describePlan, type FusionInput, fusionMethods, planMerge } from '#fusion';
import { LAYER_NAMES } from '#src/tokenformer';
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
    const gigabytes = 16;
    const path = join(folder, 'vision', 'model.safetensors');
    const bytes = readFileSync(path);
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString('utf8'));
    const end = Math.max(
      ...Object.values<{ data_offsets?: number[] }>(header).map((entry) => entry.data_offsets?.[1] ?? 0),
    );
    header['vision/large'] = {
      dtype: 'F32',
      shape: [gigabytes * 2 ** 28],
      data_offsets: [end, end + gigabytes * 2 ** 30],
    };
    const enlarged = fileOf(JSON.stringify(header), bytes.subarray(8 + Number(bytes.readBigUInt64LE())));
    writeFileSync(path, enlarged);
    // The file has a hole where the values would be.
    truncateSync(path, enlarged.length + gigabytes * 2 ** 30);
    const { plan, problems } = planMerge(tinyRecipe(), folder);
    expect(problems).toEqual([]);
    expect(plan!.bytes).toBeGreaterThan(gigabytes * 2 ** 30);
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
    expect(problems).toEqual(['language: language has no tokenizer.json; expected its tokenizer next to the model']);
  });

  it('reports tensors whose shape is not what the model says', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const path = join(folder, 'vision', 'model.json');
    const model = JSON.parse(readFileSync(path, 'utf8'));
    model.config.backbone.stack.ffnParamTokens = 11;
    writeFileSync(path, JSON.stringify(model));
    const { problems } = planMerge(tinyRecipe(), folder);
    expect(problems).toHaveLength(2 * TINY_STACK.numLayers);
    expect(problems[0]).toContain("'block0/ffn/vision/keyParamTokens': expected [11,8] by its model.json, got [10,8]");
  });

  it('reports every other tensor that a model needs and the file does not have', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const path = join(folder, 'vision', 'model.safetensors');
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8'));
    delete header['vision/positionEmbedding'];
    delete header['block0/ffn/vision/tau'];
    writeFileSync(path, fileOf(JSON.stringify(header), bytes.subarray(8 + length)));
    const { problems } = planMerge(tinyRecipe(), folder);
    expect(problems.sort()).toEqual([
      "vision: has no tensor 'block0/ffn/vision/tau'",
      "vision: has no tensor 'vision/positionEmbedding'",
    ]);
  });

  it('reports that nothing would carry the image when the shapes differ and no bridge reads it', () => {
    const none = problemsOf({ bridge: { tokens: 0, parts: [...BRIDGE_PARTS] } }, { vision: { dModel: 16 } });
    expect(none[0]).toContain("expected the part 'imageValue'");
    expect(problemsOf({ bridge: { tokens: 0, parts: [...BRIDGE_PARTS] } }, {})).toEqual([]);
  });
});
