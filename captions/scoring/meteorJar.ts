import type { CaptionPair } from '#captions/metrics';
import { UserError } from '#src/errors';
import { type JarOptions, startJava } from './javaProcess.js';

/** Scores of a jar, in [0, 1]; images in the order of the pairs. */
export interface JarScores {
  readonly corpus: number;
  readonly perImage: readonly number[];
}

/**
 * METEOR 1.5, computed by its own jar: statistics of every image, then the score of each image and of their sum, which is
 * not the mean over images.
 *
 * Source: the `-stdio` protocol, as used by pycocoevalcap.
 *
 * @throws UserError when Java or the jar fails, returns anything other than numbers, or times out
 */
export async function meteorJar(pairs: readonly CaptionPair[], options: JarOptions): Promise<JarScores> {
  const java = startJava('METEOR', '-Xmx2G', ['-', '-', '-stdio', '-l', 'en', '-norm'], options);
  const answer = async (what: string): Promise<string> => {
    const line = await java.nextLine();
    if (line === undefined) throw new UserError(`METEOR: expected ${what}, got the end of its output`);
    return line;
  };
  const score = async (what: string): Promise<number> => {
    const line = await answer(what);
    if (!/^-?\d*\.?\d+(?:[eE]-?\d+)?$/.test(line.trim())) {
      throw new UserError(`METEOR: expected ${what}, got '${line.slice(0, 60)}'`);
    }
    return Number(line);
  };
  try {
    const statistics: string[] = [];
    for (const { prediction, references } of pairs) {
      java.write(['SCORE', ...references.map(({ text }) => oneField(text)), oneField(prediction.text)].join(' ||| '));
      statistics.push(await answer('the statistics of a caption'));
    }
    java.write(['EVAL', ...statistics].join(' ||| '));
    const perImage: number[] = [];
    for (const { imageId } of pairs) perImage.push(await score(`the score of image ${imageId}`));
    return { corpus: await score('the score of the set'), perImage };
  } finally {
    java.stop();
  }
}

function oneField(caption: string): string {
  return caption.replaceAll('|||', '').replace(/\s+/g, ' ').trim();
}
