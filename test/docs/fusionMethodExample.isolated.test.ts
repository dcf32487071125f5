import { join } from 'node:path';
import { expect, it } from 'vitest';
import { captionImages, captionLogits, imageContexts, imageStates, loadJointModel } from '#fusion';
import { Decoding, languageHidden, languageLogits, loadLanguageModel } from '#language';
import { tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { readCheckpoint } from '#src/training';
import '../../docs/examples/fusionMethod.js';
import { describeEachEngine } from '../engine/eachEngine.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { alignTiny, tinyAlignment } from '../support/tinyAlign.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny, noisePixels, someTokenIds } from '../support/tinyJointModel.js';

describeEachEngine('the fusion method of docs/examples', () => {
  it('merges, learns in alignment, captions, and leaves both backbones as they were', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder, { vision: { dModel: 16 } });
    await writeTinyCaptions(folder);
    const merged = mergeTiny(folder, { method: 'sharedBridge' });
    const added = [...readCheckpoint(merged).tensors.keys()].filter((name) => /shared/.test(name));
    expect(added).toHaveLength(2 * 3 + 2 * 2); // two groups of three tensors, two gates in two blocks
    const training = { steps: 20, learningRate: 0.05, evaluateEvery: 20, checkpointEvery: 20 };
    const { runDir, backbonesKept } = await alignTiny(folder, tinyAlignment({ training }));
    const nll = readMetrics(runDir).flatMap(({ values }) => values['validation/captionNll'] ?? []);
    expect(nll).toHaveLength(2);
    expect(nll[1]).toBeLessThan(0.95 * nll[0]);
    expect(backbonesKept!.kept).toBe(backbonesKept!.total);

    const model = loadJointModel(runDir);
    const language = loadLanguageModel(join(folder, 'language'));
    tf.tidy(() => {
      const alone = languageLogits(
        language.tree,
        languageHidden(language.tree, language.config, someTokenIds(2)).hidden,
      );
      expect(captionLogits(model, someTokenIds(2), { bridge: true }).logits.dataSync()).toEqual(alone.dataSync());
      const states = imageStates(model, noisePixels(2));
      const logits = (bridge: boolean) =>
        captionLogits(model, someTokenIds(2), { bridge, contexts: imageContexts(model, states, { bridge }) });
      expect(logits(true).logits.dataSync()).not.toEqual(logits(false).logits.dataSync());
    });
    const states = tf.tidy(() => imageStates(model, noisePixels(3)));
    const decoding = Decoding.parse({ method: 'greedy', maxTokens: 5 });
    expect(await captionImages(model, states, { decoding, bridge: true })).toHaveLength(3);
    states.dispose();
    for (const each of [model, language]) each.dispose();
  });
});
