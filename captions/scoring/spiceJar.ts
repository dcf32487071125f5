import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { CaptionPair } from '#captions/metrics';
import { parseFile } from '#src/config';
import { UserError } from '#src/errors';
import { readJson } from '#src/storage';
import { type JarOptions, startJava } from './javaProcess.js';
import type { JarScores } from './meteorJar.js';

const SpiceOutput = z.array(
  z.looseObject(
    {
      image_id: z.int('the id of an image'),
      scores: z.looseObject(
        // A caption with nothing to match scores NaN, which JSON stores as null.
        { All: z.looseObject({ f: z.number('a number').nullable() }, 'an object with f') },
        'an object with All',
      ),
    },
    'an object',
  ),
  'an array with a score of each image',
);

/**
 * SPICE, computed by its own jar: the F-score of each image's scene graph; the score of a set is their mean without NaN.
 *
 * @throws UserError when Java or the jar fails, writes invalid output, omits an image, or times out
 */
export async function spiceJar(pairs: readonly CaptionPair[], options: JarOptions): Promise<JarScores> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-spice-'));
  try {
    const [input, output] = [join(folder, 'captions.json'), join(folder, 'scores.json')];
    const captions = pairs.map(({ imageId, prediction, references }) => ({
      image_id: imageId,
      test: prediction.text,
      refs: references.map(({ text }) => text),
    }));
    writeFileSync(input, JSON.stringify(captions));
    const java = startJava('SPICE', '-Xmx8G', [input, '-out', output, '-subset', '-silent'], options);
    try {
      while ((await java.nextLine()) !== undefined);
    } finally {
      java.stop();
    }
    const scored = parseFile(SpiceOutput, readJson(output, "SPICE's scores"), 'SPICE');
    // By id, because the jar reorders images.
    const byId = new Map(scored.map(({ image_id: id, scores }) => [id, scores.All.f ?? Number.NaN]));
    const perImage = pairs.map(({ imageId }) => {
      const score = byId.get(imageId);
      if (score === undefined) throw new UserError(`SPICE: expected a score of image ${imageId}, got none`);
      return score;
    });
    const known = perImage.filter((score) => !Number.isNaN(score));
    const sum = known.reduce((total, score) => total + score, 0);
    return { corpus: known.length === 0 ? 0 : sum / known.length, perImage };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
