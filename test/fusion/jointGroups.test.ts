import { expect, it } from 'vitest';
import {
  attachJointGroup,
  captionLogits,
  detachJointGroup,
  imageContexts,
  imageStates,
  type JointModel,
  loadJointModel,
} from '#fusion';
import { tf } from '#src/engine';
import { AppendedGroup } from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyGroup } from '../support/tinyGroups.js';
import { mergeTiny, noisePixels, someTokenIds, stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

/** Logits of captions beside images, through both backbones and the bridges. */
function logits(model: JointModel): Float32Array {
  return tf.tidy(() => {
    const states = imageStates(model, noisePixels(2));
    const contexts = imageContexts(model, states, { bridge: true });
    return captionLogits(model, someTokenIds(2), { bridge: true, contexts }).logits.dataSync() as Float32Array;
  });
}

describeEachEngine('groups attached to a merged model', () => {
  for (const method of ['routed', 'grouped', 'crossAttention', 'prefix']) {
    it(`change it on their own backbone's stream, and removed give the old bits back: ${method}`, async () => {
      const folder = temporaryFolder();
      const model = tinyJointModel(folder, { method });
      stirFusion(model);
      const before = logits(model);
      const verse = writeTinyGroup(folder, 'language', { name: 'verse' });
      const sketch = writeTinyGroup(folder, 'vision', { name: 'sketch', kind: 'linear' });
      const withVerse = await attachJointGroup(model, verse);
      expect(relativeError(logits(withVerse), before)).toBeGreaterThan(0.01);
      const both = await attachJointGroup(withVerse, sketch);
      expect(relativeError(logits(both), logits(withVerse))).toBeGreaterThan(1e-3);
      const single = detachJointGroup(detachJointGroup(both, 'verse'), 'sketch');
      expect(logits(single)).toEqual(before);
      expect(single.config).toEqual(model.config);
      model.dispose();
    });
  }
});

it('refuses a group for one norm over the layer, and a name that the other backbone has', async () => {
  const folder = temporaryFolder();
  const routed = tinyJointModel(folder);
  const union = loadJointModel(mergeTiny(folder, { method: 'union' }, 'union'));
  const path = writeTinyGroup(folder, 'language', { name: 'verse' });
  expect(await rejectedLine(attachJointGroup(union, path))).toContain(
    "cannot be attached to a model merged by 'union'",
  );
  const model = await attachJointGroup(routed, path);
  const vision = writeTinyGroup(folder, 'vision', { name: 'verse' });
  expect(await rejectedLine(attachJointGroup(model, vision))).toContain(
    "one on the language backbone is called 'verse' already",
  );
  routed.dispose();
  union.dispose();
});

it('a linear group cannot be merged under one norm', () => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder, {
    language: { appendedGroups: [AppendedGroup.parse({ name: 'lora', ffn: 2, kind: 'linear' })] },
  });
  expect(() => mergeTiny(folder, { method: 'union' })).toThrow(
    "expected groups with a norm, got the linear group 'lora'",
  );
});
