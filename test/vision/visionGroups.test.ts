import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { ParameterTree } from '#src/tokenformer';
import { readModel } from '#src/training';
import {
  attachVisionGroup,
  detachVisionGroup,
  type GroupedVision,
  newVisionHead,
  VISION_KIND,
  type VisionHead,
  visionForward,
} from '#vision';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyGroup } from '../support/tinyGroups.js';
import { noisePixels } from '../support/tinyJointModel.js';

const ANIMALS: VisionHead = {
  objectives: [{ kind: 'classify', weight: 1 }],
  labels: { classNames: ['cat', 'dog', 'owl'] },
};
const SIZES: VisionHead = { objectives: [{ kind: 'classify', weight: 1 }], labels: { classNames: ['small', 'large'] } };

function visionModel(folder: string): GroupedVision {
  const { tensors, config } = readModel(join(folder, 'vision'), VISION_KIND);
  const head = newVisionHead(SIZES, config.backbone, 9);
  return { tree: new ParameterTree(new Map([...tensors, ...head])), config: { ...config, ...SIZES } };
}

const statesOf = ({ tree, config }: GroupedVision): Float32Array =>
  tf.tidy(() => visionForward(tree, config.backbone, noisePixels(2)).normed.dataSync() as Float32Array);

describeEachEngine('a group attached to a vision model', () => {
  it('changes its states and its head, and removed gives both back to the bit', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const path = writeTinyGroup(folder, 'vision', { name: 'animals' }, { head: ANIMALS });
    const model = visionModel(folder);
    const before = statesOf(model);
    const host = await model.tree.toHost();
    const grouped = await attachVisionGroup(model, path);
    expect(grouped.config.labels.classNames).toEqual(['cat', 'dog', 'owl']);
    expect(grouped.tree.variable('vision/head/classify/kernel').shape).toEqual([8, 3]);
    expect(relativeError(statesOf(grouped), before)).toBeGreaterThan(0.01);
    const single = detachVisionGroup(grouped, 'animals');
    expect(single.config).toEqual(model.config);
    expect(statesOf(single)).toEqual(before);
    expect(new Map([...(await single.tree.toHost())].sort())).toEqual(new Map([...host].sort()));
    model.tree.dispose();
  });
});

it('refuses a second head, and stacks groups without one', async () => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  const model = await attachVisionGroup(
    visionModel(folder),
    writeTinyGroup(folder, 'vision', { name: 'animals' }, { head: ANIMALS }),
  );
  const sizes = writeTinyGroup(folder, 'vision', { name: 'sizes' }, { head: SIZES });
  expect(await rejectedLine(attachVisionGroup(model, sizes))).toContain(
    "has a head of its own, as has the attached 'animals'",
  );
  const both = await attachVisionGroup(model, writeTinyGroup(folder, 'vision', { name: 'sketch' }));
  expect(both.attachedGroups).toEqual(['animals', 'sketch']);
  model.tree.dispose();
});
