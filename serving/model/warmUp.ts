import { Decoding } from '#language';
import type { ServedModel } from './servedModel.js';

/** Works on a whole batch of blank pictures once, so that no request waits for compilers, nor finds that there is no memory. */
export async function warmUp(model: ServedModel, batchSize: number): Promise<void> {
  const { works, pictures } = model.description;
  const setting = Decoding.parse({ method: 'greedy', maxTokens: 8 });
  if (pictures !== null) {
    const pixels = new Uint8Array(pictures.imageSize ** 2 * 3);
    const items = Array.from({ length: batchSize }, (_, imageId) => ({ pixels, imageId }));
    if (works.includes('caption')) await model.run({ work: 'caption', setting, items });
    else await model.run({ work: 'embed', setting: null, items });
  }
  if (works.includes('generate')) await model.run({ work: 'generate', setting, items: [{ prompt: '' }] });
}
