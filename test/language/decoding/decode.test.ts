import { expect, it } from 'vitest';
import {
  type DecodeForward,
  Decoding,
  decode,
  generateText,
  greedyToken,
  type Hypothesis,
  type LanguageModel,
  languageHidden,
  languageLogits,
} from '#language';
import { tf } from '#src/engine';
import type { AttentionContext, ParameterTree } from '#src/tokenformer';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { randomValues } from '../../support/randomValues.js';
import { tinyLanguageConfig, tinyLanguageTree } from '../../support/tinyLanguageModel.js';
import { byteTokenizer } from '../data/textFixture.js';
import { logSumExp } from './markovModel.js';

const { dModel, numLayers } = tinyLanguageConfig.stack;
const CONTEXT_LEN = 3;
const PROMPT = [3, 1, 4];
const STOP = 1;
const ROWS = 6;

/** Something else to read for every row, so that rows of one prompt say different things. */
function contextsOf(rows: readonly number[]): AttentionContext[] {
  return Array.from({ length: numLayers }, (_, l) => {
    const tensor = (name: string): tf.Tensor3D => {
      const values = rows.flatMap((row) => [...randomValues(CONTEXT_LEN * dModel, name, l, row)].map((x) => 10 * x));
      return tf.tensor3d(values, [rows.length, CONTEXT_LEN, dModel]);
    };
    return { keys: tensor('keys'), values: tensor('values'), outputGroups: [] };
  });
}

function lastLogits(tree: ParameterTree, hidden: tf.Tensor2D, rows: number): tf.Tensor2D {
  const perRow = tf.reshape(hidden, [rows, -1, dModel]);
  const last = tf.slice(perRow, [0, perRow.shape[1]! - 1, 0], [-1, 1, -1]);
  return languageLogits(tree, tf.reshape(last, [rows, dModel]));
}

const forwardOf =
  (tree: ParameterTree, seen?: (rows: number) => void): DecodeForward =>
  (tokenIds, memory) => {
    seen?.(tokenIds.shape[0]);
    const { hidden, caches } = languageHidden(tree, tinyLanguageConfig, tokenIds, { keepCaches: true, ...memory });
    return { logits: lastLogits(tree, hidden, tokenIds.shape[0]), caches };
  };

/** The definition: one row, everything again, no cache. */
function plainLogits(tree: ParameterTree, row: number, tokenIds: readonly number[]): Float32Array {
  return tf.tidy(() => {
    const ids = tf.tensor2d([[...PROMPT, ...tokenIds]], undefined, 'int32');
    const { hidden } = languageHidden(tree, tinyLanguageConfig, ids, { contexts: contextsOf([row]) });
    return lastLogits(tree, hidden, 1).dataSync() as Float32Array;
  });
}

async function decodeRows(
  tree: ParameterTree,
  rows: readonly number[],
  settings: object,
  seen?: (rows: number) => void,
): Promise<Hypothesis[][]> {
  const contexts = contextsOf(rows);
  const request = { rowNames: rows, prompt: PROMPT, stopIds: [STOP], contexts };
  const results = await decode(forwardOf(tree, seen), request, Decoding.parse({ maxTokens: 9, ...settings }));
  tf.dispose(contexts.map(({ keys, values }) => [keys, values]));
  return results;
}

const ALL_ROWS = Array.from({ length: ROWS }, (_, row) => row);
const BEAM = { method: 'beam', width: 4, nBest: 3 };
const SAMPLE = { method: 'sample', numSamples: 3, temperature: 1.5, seed: 3 };

/** Equal texts, and log p within what engines differ by between a row alone and a row of a batch. */
function expectSame(actual: Hypothesis[][], expected: Hypothesis[][]): void {
  const texts = (results: Hypothesis[][]) => results.map((row) => row.map(({ logProb: _, ...text }) => text));
  expect(texts(actual)).toEqual(texts(expected));
  const logProbs = (results: Hypothesis[][]) => results.flatMap((row) => row.map(({ logProb }) => logProb));
  for (const [i, logProb] of logProbs(actual).entries()) {
    // Measured 0 on cpu, 3e-6 on wasm, 2e-5 on native (log p of tens of nats).
    expect(Math.abs(logProb - logProbs(expected)[i])).toBeLessThan(2e-4);
  }
}

describeEachEngine('decode', () => {
  it('greedy is the argmax of running everything again each time, with the sum of its log p', async () => {
    const tree = tinyLanguageTree();
    const results = await decodeRows(tree, ALL_ROWS, { method: 'greedy' });
    for (const [row, [{ tokenIds, logProb, ended }]] of results.entries()) {
      const expected: number[] = [];
      let [sum, token] = [0, -1];
      while (token !== STOP && expected.length < 9) {
        const logits = plainLogits(tree, row, expected);
        token = greedyToken(logits);
        sum += logits[token] - logSumExp(logits);
        if (token !== STOP) expected.push(token);
      }
      expect({ tokenIds, ended }).toEqual({ tokenIds: expected, ended: token === STOP });
      // Measured 1e-6 on wasm.
      expect(Math.abs(logProb - sum)).toBeLessThan(2e-5);
    }
    // Rows that all say and end alike would prove little.
    expect(new Set(results.map(([{ tokenIds }]) => tokenIds.length)).size).toBeGreaterThan(2);
    tree.dispose();
  });

  it('reports for a beam what running its tokens again says of them', async () => {
    const tree = tinyLanguageTree();
    for (const [row, results] of (await decodeRows(tree, ALL_ROWS, BEAM)).entries()) {
      expect(results).toHaveLength(3);
      for (const { tokenIds, logProb, ended } of results) {
        const chosen = ended ? [...tokenIds, STOP] : tokenIds;
        const sum = chosen.reduce((total, id, i) => {
          const logits = plainLogits(tree, row, chosen.slice(0, i));
          return total + logits[id] - logSumExp(logits);
        }, 0);
        // Beams that went on from the wrong row's cache would be far off. Measured 1e-6 on native.
        expect(Math.abs(logProb - sum)).toBeLessThan(2e-5);
      }
    }
    tree.dispose();
  });

  for (const settings of [{ method: 'greedy' }, BEAM, SAMPLE]) {
    it(`decodes rows of a batch as each alone, ${settings.method}`, async () => {
      const tree = tinyLanguageTree();
      const together = await decodeRows(tree, ALL_ROWS, settings);
      const alone = [];
      for (const row of ALL_ROWS) alone.push(...(await decodeRows(tree, [row], settings)));
      expectSame(together, alone);
      tree.dispose();
    });
  }

  it('drops rows as they end', async () => {
    const tree = tinyLanguageTree();
    const rowsRun: number[] = [];
    const results = await decodeRows(tree, ALL_ROWS, { method: 'greedy' }, (rows) => rowsRun.push(rows));
    const passes = results.map(([{ tokenIds, ended }]) => tokenIds.length + (ended ? 1 : 0));
    expect(rowsRun).toEqual(
      Array.from({ length: Math.max(...passes) }, (_, step) => passes.filter((count) => count > step).length),
    );
    expect(rowsRun.at(-1)).toBeLessThan(ROWS);
    tree.dispose();
  });

  it('holds no tensor when it is done, nor when a pass fails', async () => {
    const tree = tinyLanguageTree();
    const before = tf.memory().numTensors;
    for (const settings of [{ method: 'greedy' }, BEAM, SAMPLE]) await decodeRows(tree, ALL_ROWS, settings);
    expect(tf.memory().numTensors).toBe(before);
    let passes = 0;
    const failing: DecodeForward = (tokenIds, memory) => {
      if (++passes === 3) throw new Error('out of order');
      return forwardOf(tree)(tokenIds, memory);
    };
    const request = { rowNames: [0, 1], prompt: PROMPT, stopIds: [STOP] };
    const decoding = Decoding.parse({ method: 'beam', minTokens: 5 });
    await expect(decode(failing, request, decoding)).rejects.toThrow('out of order');
    expect(tf.memory().numTensors).toBe(before);
    tree.dispose();
  });

  it('refuses logits that are not numbers', async () => {
    const broken: DecodeForward = ({ size }) => ({ logits: tf.fill([size, 5], Number.NaN), caches: [] });
    const request = { rowNames: [0], prompt: [1], stopIds: [STOP] };
    await expect(decode(broken, request, Decoding.parse({ method: 'beam' }))).rejects.toThrow(/finite logits, got NaN/);
  });
});

describeEachEngine('generateText', () => {
  const model = (): LanguageModel => {
    const config = { ...tinyLanguageConfig, vocabSize: 257 };
    const tree = tinyLanguageTree(config);
    return { tree, config, tokenizer: byteTokenizer, dispose: () => tree.dispose() };
  };
  const generate = (prompt: string, settings: object) =>
    generateText(model(), prompt, Decoding.parse({ maxTokens: 12, ...settings }));
  const sample = { method: 'sample', temperature: 3 };

  it('is the same for the same prompt and seed, another for another seed', async () => {
    const texts = [];
    for (const seed of [5, 5, 6]) texts.push(await generate('ab', { ...sample, seed }));
    expect(texts[1]).toEqual(texts[0]);
    expect(texts[2]).not.toEqual(texts[0]);
  });

  it('depends on the prompt, and takes an empty one', async () => {
    const [[a], [b]] = [await generate('ab', { method: 'greedy' }), await generate('', { method: 'greedy' })];
    expect(a.text).not.toBe(b.text);
    expect(a.logProb).toBeLessThan(0);
  });

  it('gives as many results as asked for, and stops at a stop token', async () => {
    expect(await generate('ab', { ...sample, numSamples: 3 })).toHaveLength(3);
    const beams = await generate('ab', { method: 'beam', width: 4, nBest: 4 });
    expect(beams).toHaveLength(4);
    const [{ text }] = await generate('ab', { method: 'greedy' });
    const [stopped] = await generate('ab', { method: 'greedy', stopTokens: [text[2]] });
    expect(stopped).toMatchObject({ text: text.slice(0, text.indexOf(text[2])), ended: true });
  });
});
