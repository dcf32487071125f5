import { z } from 'zod';
import { tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import type { ParameterTree } from '#src/tokenformer';
import type { TeacherState } from '#src/training';
import type { Objective } from './objective.js';

/** Key of objectives with a teacher. */
export const momentumKey = z
  .number()
  .min(0)
  .lt(1)
  .default(0.996)
  .describe('share of the moving average that a first step keeps; it rises to 1 at the last step, as half a cosine');

/** The share that a step keeps: 1 − (1 − momentum) (1 + cos(π step / steps)) / 2. Source: Caron et al., arXiv 2104.14294. */
export function momentumAt(momentum: number, step: number, steps: number): number {
  return 1 - ((1 - momentum) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps))) / 2;
}

/** The teachers of a model's objectives. */
export interface Teachers extends TeacherState {
  /** The parameters of an objective's teacher; undefined for one without. */
  of(objective: Objective): ParameterTree | undefined;
}

/**
 * Starts the teachers of objectives as the parameters are now.
 *
 * @param steps of the run: how long teachers follow
 * @returns undefined where no objective has one
 */
export function openTeachers(
  objectives: readonly Objective[],
  student: ParameterTree,
  steps: number,
): Teachers | undefined {
  const taught = objectives.flatMap(({ name, teacher }) =>
    teacher ? [{ name, momentum: teacher.momentum, tree: student.copyOf(teacher.names) }] : [],
  );
  if (taught.length === 0) return undefined;
  return {
    of: ({ name }) => taught.find((one) => one.name === name)?.tree,
    shapes: () =>
      new Map(taught.flatMap(({ name, tree }) => [...tree.shapes()].map(([own, shape]) => [`${name}/${own}`, shape]))),
    follow: (step) => {
      for (const { tree, momentum } of taught) follow(tree, student, momentumAt(momentum, step, steps));
    },
    toHost: async () => {
      const all = new Map<string, HostTensor>();
      for (const { name, tree } of taught) {
        for (const [own, tensor] of await tree.toHost()) all.set(`${name}/${own}`, tensor);
      }
      return all;
    },
    assign: (tensors) => {
      for (const { name, tree } of taught) {
        const own = [...tensors].filter(([key]) => key.startsWith(`${name}/`));
        tree.assign(new Map(own.map(([key, tensor]) => [key.slice(name.length + 1), tensor])));
      }
    },
    dispose: () => {
      for (const { tree } of taught) tree.dispose();
    },
  };
}

/** t ← t + (1 − momentum) (s − t): a parameter that is not trained stays as it is to the bit. */
function follow(teacher: ParameterTree, student: ParameterTree, momentum: number): void {
  for (const name of teacher.names()) {
    tf.tidy(() => {
      const before = teacher.variable(name);
      before.assign(tf.add(before, tf.mul(tf.sub(student.variable(name), before), 1 - momentum)));
    });
  }
}
