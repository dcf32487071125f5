import type { JointModel, StateCache } from '#fusion';
import { imageStateShape, imageStates } from '#fusion';
import { tf } from '#src/engine';

/** The states of one mid-grey image (every pixel value 0) in the place of any image's. */
export async function blankImage(model: JointModel): Promise<StateCache> {
  const { imageSize } = model.config.vision.backbone;
  const states = tf.tidy(() => imageStates(model, tf.zeros([1, imageSize, imageSize, 3])));
  const one = (await states.data()) as Float32Array;
  states.dispose();
  return {
    states: ({ length }) => {
      const values = new Float32Array(length * one.length);
      for (let i = 0; i < length; i++) values.set(one, i * one.length);
      return tf.tensor4d(values, [length, ...imageStateShape(model.config)]);
    },
    bytes: one.byteLength,
  };
}
