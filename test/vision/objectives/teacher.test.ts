import { describe, expect, it } from 'vitest';
import { tf } from '#src/engine';
import { AdamW } from '#src/training';
import { openTeachers } from '#vision';
import { momentumAt } from '../../../vision/objectives/teacher.js';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { objectiveOn, tinyVisionConfig } from '../../support/tinyVisionModel.js';

const given = { kind: 'jointEmbedding', predictorModel: 16, predictorHeads: 2, momentum: 0.75 };

describe('the momentum of a teacher', () => {
  it('rises from the one configured to 1, as half a cosine', () => {
    expect(momentumAt(0.9, 0, 100)).toBeCloseTo(0.9, 12);
    expect(momentumAt(0.9, 50, 100)).toBeCloseTo(0.95, 12);
    expect(momentumAt(0.9, 100, 100)).toBe(1);
    expect(momentumAt(0.9, 120, 100)).toBe(1);
  });
});

describeEachEngine('a teacher', () => {
  it('starts as the student, and is t + (1 − m)(s − t) after each step', async () => {
    const { objective, tree } = objectiveOn(tinyVisionConfig(), given);
    const teachers = openTeachers([objective], tree, 8)!;
    const name = 'block0/ffn/vision/valueParamTokens';
    const start = Float32Array.from(tree.variable(name).dataSync());
    expect([...teachers.of(objective)!.variable(name).dataSync()]).toEqual([...start]);
    // AdamW may write into the memory of the parameters: the teacher must not share it.
    const optimizer = new AdamW(tree, { beta1: 0.9, beta2: 0.95, adamEpsilon: 1e-8, weightDecay: 0 });
    let expected = [...start];
    for (const step of [1, 2, 3]) {
      const gradients = new Map([[name, tf.ones(tree.variable(name).shape)]]);
      optimizer.apply(gradients, 0.1, 1, step);
      tf.dispose([...gradients.values()]);
      const student = tree.variable(name).dataSync();
      expect(student[0]).not.toBe(start[0]);
      teachers.follow(step);
      const kept = momentumAt(0.75, step, 8);
      expected = expected.map((t, i) => t + (1 - kept) * (student[i] - t));
      const actual = teachers.of(objective)!.variable(name).dataSync();
      expect(Math.max(...expected.map((value, i) => Math.abs(value - actual[i])))).toBeLessThan(1e-6);
    }
    optimizer.dispose();
    teachers.dispose();
    tree.dispose();
  });

  it('does not move where the student does not, and keeps memory flat', () => {
    const { objective, tree } = objectiveOn(tinyVisionConfig(), given);
    const teachers = openTeachers([objective], tree, 10)!;
    const name = 'vision/patchEmbedding/kernel';
    const before = [...tree.variable(name).dataSync()];
    const { numTensors } = tf.memory();
    for (let step = 1; step <= 5; step++) teachers.follow(step);
    expect([...teachers.of(objective)!.variable(name).dataSync()]).toEqual(before);
    expect(tf.memory().numTensors).toBe(numTensors);
    teachers.dispose();
    tree.dispose();
  });

  it('gives its state for a checkpoint, and takes it back', async () => {
    const { objective, tree } = objectiveOn(tinyVisionConfig(), given);
    const [one, other] = [1, 2].map(() => openTeachers([objective], tree, 10)!);
    const name = 'vision/positionEmbedding';
    const student = tree.variable(name);
    student.assign(tf.add(student, 1));
    one.follow(1);
    const state = await one.toHost();
    expect([...state.keys()].sort()).toEqual([...one.shapes().keys()].sort());
    expect([...state.keys()]).toContain(`jointEmbedding/${name}`);
    expect([...state.keys()].some((key) => key.includes('visionPredictor'))).toBe(false);
    other.assign(state);
    expect(await other.toHost()).toEqual(state);
    for (const teachers of [one, other]) teachers.dispose();
    tree.dispose();
  });

  it('is none without an objective that has one', () => {
    const { objective, tree } = objectiveOn(tinyVisionConfig(), { kind: 'classify' });
    expect(openTeachers([objective], tree, 10)).toBeUndefined();
    tree.dispose();
  });
});
