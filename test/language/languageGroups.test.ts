import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  attachLanguageGroup,
  Decoding,
  detachLanguageGroup,
  generateText,
  type LanguageModel,
  languageHidden,
  languageLogits,
  loadLanguageModel,
} from '#language';
import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { readGroupFile, writeGroupFile } from '#src/groups';
import { decodeStack, stackBlocks } from '#src/tokenformer';
import { fusedBlock } from '../../src/tokenformer/fusedBlock.js';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine, userErrorLine } from '../support/thrown.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyGroup } from '../support/tinyGroups.js';
import { someTokenIds } from '../support/tinyJointModel.js';

/** A folder with two language backbones of other parameters, `language` and `other/language`, and groups for the first. */
function folderWithGroups() {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  return {
    folder,
    verse: writeTinyGroup(folder, 'language', { name: 'verse' }),
    prose: writeTinyGroup(folder, 'language', { name: 'prose', query: 0, output: 2, ffn: 7 }),
    lora: writeTinyGroup(folder, 'language', { name: 'lora', kind: 'linear' }),
  };
}

const logits = ({ tree, config }: Pick<LanguageModel, 'tree' | 'config'>): Float32Array =>
  tf.tidy(() => languageLogits(tree, languageHidden(tree, config, someTokenIds(3)).hidden).dataSync() as Float32Array);

describeEachEngine('groups attached to a language backbone', (engine) => {
  it('change what it computes, and removed give the old bits back', async () => {
    const { folder, verse, prose, lora } = folderWithGroups();
    const model = loadLanguageModel(join(folder, 'language'));
    const before = logits(model);
    const numTensors = tf.memory().numTensors;
    let grouped = model;
    for (const path of [verse, lora, prose]) grouped = await attachLanguageGroup(grouped, path);
    expect(grouped.attachedGroups).toEqual(['verse', 'lora', 'prose']);
    expect(relativeError(logits(grouped), before)).toBeGreaterThan(0.01);
    for (const name of ['lora', 'verse', 'prose']) grouped = detachLanguageGroup(grouped, name);
    expect(grouped.config).toEqual(model.config);
    expect(logits(grouped)).toEqual(before);
    expect(tf.memory().numTensors).toBe(numTensors);
    model.dispose();
  });

  it.each(['pattention', 'linear'] as const)('start without an effect, to the bit: %s', async (kind) => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const path = writeTinyGroup(folder, 'language', { name: 'new', kind }, { isTrained: false });
    const model = loadLanguageModel(join(folder, 'language'));
    const before = logits(model);
    expect(logits(await attachLanguageGroup(model, path))).toEqual(before);
    model.dispose();
  });

  it('add up in any order, to rounding', async () => {
    const { folder, verse, prose, lora } = folderWithGroups();
    const results: Float32Array[] = [];
    for (const order of [
      [verse, prose, lora],
      [lora, prose, verse],
    ]) {
      let model = loadLanguageModel(join(folder, 'language'));
      for (const path of order) model = await attachLanguageGroup(model, path);
      results.push(logits(model));
      model.dispose();
    }
    expect(relativeError(results[0], results[1])).toBeLessThan(2e-6);
  });

  it('decode as they read: the same continuation with the cache as without', async () => {
    const { folder, verse, lora } = folderWithGroups();
    let model = loadLanguageModel(join(folder, 'language'));
    for (const path of [verse, lora]) model = await attachLanguageGroup(model, path);
    const [{ logProb, text }] = await generateText(model, 'a red', Decoding.parse({ method: 'greedy', maxTokens: 5 }));
    const ids = [model.tokenizer.endOfTextId, ...model.tokenizer.encode('a red')];
    let sum = 0;
    for (let i = 0; i < 5; i++) {
      const next = tf.tidy(() => {
        const { hidden } = languageHidden(model.tree, model.config, tf.tensor2d([ids], undefined, 'int32'));
        const last = tf.slice(languageLogits(model.tree, hidden), [ids.length - 1, 0], [1, -1]);
        return tf.reshape(tf.logSoftmax(last), [-1]).dataSync() as Float32Array;
      });
      const best = next.indexOf(Math.max(...next));
      sum += next[best];
      ids.push(best);
    }
    expect(model.tokenizer.decode(ids.slice(-5))).toBe(text);
    expect(Math.abs(logProb - sum)).toBeLessThan(1e-4);
    model.dispose();
  });

  it.runIf(engine === 'native')('leave the block one operation, and a decoded token one call', async () => {
    const { folder, verse, prose } = folderWithGroups();
    let model = loadLanguageModel(join(folder, 'language'));
    for (const path of [verse, prose]) model = await attachLanguageGroup(model, path);
    const { stack } = model.config;
    const blocks = stackBlocks(model.tree, stack, 'language');
    expect(blocks[0].ffn).toHaveLength(3);
    tf.tidy(() => {
      expect(fusedBlock(tf.zeros([2, 4, 8]), blocks[0], stack, { mask: { kind: 'causal' } })).toBeDefined();
      const caches = blocks.map(() => ({
        keys: tf.zeros<tf.Rank.R3>([1, 4, 8]),
        values: tf.zeros<tf.Rank.R3>([1, 4, 8]),
        length: 2,
      }));
      expect(decodeStack(tf.zeros([1, 1, 8]), blocks, stack, { caches })).toBeDefined();
    });
    model.dispose();
  });
});

it('refuses tensors of another shape, of other names, missing or left over, and leaves the model as it was', async () => {
  const { folder, verse } = folderWithGroups();
  const model = loadLanguageModel(join(folder, 'language'));
  const { description, tensors } = readGroupFile(verse);
  const names = model.tree.names();
  const forged = join(folder, 'forged.safetensors');
  const wrong = fc.record({
    at: fc.nat(tensors.size - 1),
    how: fc.constantFrom('missing', 'renamed', 'taller', 'flat', 'of the backbone', 'left over'),
  });
  await fc.assert(
    fc.asyncProperty(wrong, async ({ at, how }) => {
      const [name, { shape, values }] = [...tensors][at];
      const others = new Map([...tensors].filter((entry) => entry[0] !== name));
      if (how === 'renamed') others.set(`${name}s`, { shape, values });
      if (how === 'taller') others.set(name, { shape: [2, ...shape], values: Float32Array.of(...values, ...values) });
      if (how === 'flat') others.set(name, { shape: [1, 1, values.length], values });
      if (how === 'of the backbone') others.set(names[at % names.length], { shape, values });
      if (how === 'left over')
        others.set(name, { shape, values }).set('more', { shape: [], values: Float32Array.of(1) });
      writeGroupFile(forged, description, others);
      await expect(attachLanguageGroup(model, forged)).rejects.toThrow(UserError);
      expect(model.tree.names()).toEqual(names);
    }),
    { numRuns: 40 },
  );
  model.dispose();
});

it('refuses a second group of a name, one of another backbone, one of a vision backbone, and a name that is not attached', async () => {
  const { folder, verse } = folderWithGroups();
  const model = await attachLanguageGroup(loadLanguageModel(join(folder, 'language')), verse);
  expect(await rejectedLine(attachLanguageGroup(model, verse))).toContain("has a group 'verse' already");

  const other = temporaryFolder();
  writeTinyBackbones(other, { language: { ffnParamTokens: 11 } });
  const foreign = writeTinyGroup(other, 'language', { name: 'foreign' });
  expect(await rejectedLine(attachLanguageGroup(model, foreign))).toMatch(
    /'foreign' belongs to another language backbone: it was trained on the one with SHA-256 [0-9a-f]{12}…, this model has [0-9a-f]{12}…/,
  );

  const vision = writeTinyGroup(folder, 'vision', { name: 'sketch' });
  expect(await rejectedLine(attachLanguageGroup(model, vision))).toContain(
    'expected a group of a language backbone, got one of a vision backbone',
  );
  expect(userErrorLine(() => detachLanguageGroup(model, 'prose'))).toBe(
    "expected the name of an attached group (verse), got 'prose'",
  );
  model.dispose();
});
