import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { UserError } from '#src/errors';
import { createRandom } from '#src/random';
import { type Campaign, runCampaign } from './campaign.js';
import { type FlipTarget, flipTargets } from './flipTargets.js';
import type { Part } from './part.js';

const FULL_SIZE = 10_000;

/** Flips one bit of a file: it is refused by name, remade, or provably of the same content. */
export const bitFlips: Part = {
  name: 'flips',
  summary: 'one bit flipped in a checkpoint, cache, log or report: refused by name, remade, or the same content',
  run: (setting) => runCampaign('flips', setting, Math.ceil(FULL_SIZE * setting.size)),
};

export async function openFlips({ folder, workshop, seed }: { folder: string; workshop: string; seed: number }) {
  const targets = (await flipTargets(folder, workshop)).flatMap((target) =>
    new Array<FlipTarget>(target.weight).fill(target),
  );
  return {
    attempt: async (index) => {
      const random = createRandom(seed, 'flips', index);
      const target = random.choice(targets);
      const path = random.choice(target.files);
      const whole = readFileSync(path);
      const bit = random.integer(whole.length * 8);
      const flipped = Buffer.from(whole);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(path, flipped);
      const why = await whyAccepted(target.load, target.content, path);
      await target.restore();
      if (why === undefined) return undefined;
      return { what: `flip ${index}, ${target.name}, ${path.slice(folder.length + 1)}, bit ${bit}`, why };
    },
  } satisfies Campaign;
}

async function whyAccepted(load: () => Promise<string>, content: string, path: string): Promise<string | undefined> {
  try {
    return (await load()) === content ? undefined : 'accepted with another content';
  } catch (error) {
    if (!(error instanceof UserError)) return `${(error as Error).stack?.split('\n').slice(0, 3).join(' | ')}`;
    return error.message.includes(basename(path))
      ? undefined
      : `refused without the name of the file: ${error.message}`;
  }
}
