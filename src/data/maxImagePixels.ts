import { z } from 'zod';

/** The key `maxImagePixels` of all image data, with captions or labels. */
export const maxImagePixels = z
  .int()
  .positive()
  .optional()
  .describe(
    'largest width × height to decode; unless given 200 million, less where an image needs over 448 MB at once',
  );
