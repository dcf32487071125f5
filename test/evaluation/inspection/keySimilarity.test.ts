import { expect, it } from 'vitest';
import type { HostTensor } from '#src/storage';
import { ParameterTree } from '#src/tokenformer';
import { inspectedGroups } from '../../../evaluation/inspection/inspectedGroups.js';
import { keySimilarity } from '../../../evaluation/inspection/keySimilarity.js';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { randomValues } from '../../support/randomValues.js';

const WIDTH = 16;

/** A layer with vision and language keys; `same` of the latter are those of the former, scaled. */
async function similarityOf(same: number, languageWidth = WIDTH) {
  const vision = randomValues(6 * WIDTH, 'keys', 'vision');
  const language = randomValues(8 * languageWidth, 'keys', 'language');
  language.set(
    vision.subarray(0, same * WIDTH).map((value) => 3 * value),
    2 * WIDTH,
  );
  const group = (name: string, keys: Float32Array, width: number): [string, HostTensor][] => [
    [`block1/ffn/${name}/keyParamTokens`, { shape: [keys.length / width, width], values: keys }],
    [`block1/ffn/${name}/valueParamTokens`, { shape: [keys.length / width, width], values: keys }],
    [`block1/ffn/${name}/tau`, { shape: [], values: Float32Array.of(1) }],
  ];
  const tree = new ParameterTree(
    new Map([...group('vision', vision, WIDTH), ...group('language', language, languageWidth)]),
  );
  const similarity = await keySimilarity(tree, await inspectedGroups(tree, [], 0.1));
  tree.dispose();
  return similarity;
}

describeEachEngine('the similarity of vision and language keys', () => {
  it('is above chance for keys that both have, whatever their length, and names the pairs', async () => {
    const { layers, pairs } = (await similarityOf(6))!;
    expect(layers).toHaveLength(1);
    expect(layers[0]).toMatchObject({ block: 1, layer: 'ffn', visionKeys: 6, languageKeys: 8, aboveChance: true });
    expect(layers[0].best).toBeCloseTo(1, 5);
    // Random keys of width 16: the best of 8 cosines is about 0.35 in the mean.
    expect(layers[0].chance.high).toBeLessThan(0.6);
    expect(pairs.slice(0, 6).map(({ visionToken, languageToken }) => languageToken - visionToken)).toEqual(
      Array.from({ length: 6 }, () => 2),
    );
  });

  it('is not above chance for keys that have nothing in common', async () => {
    const { layers } = (await similarityOf(0))!;
    expect(layers[0].aboveChance).toBe(false);
    expect(layers[0].best).toBeGreaterThan(layers[0].chance.low);
    expect(layers[0].best).toBeLessThan(layers[0].chance.high);
  });

  it('does not exist where widths differ', async () => {
    expect(await similarityOf(0, 8)).toBeNull();
  });
});
