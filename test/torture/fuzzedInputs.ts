import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, UserError } from '#src/errors';
import { createRandom } from '#src/random';
import { type Campaign, runCampaign } from './campaign.js';
import { type FuzzFormat, fuzzFormats } from './fuzzFormats.js';
import { mutate } from './mutations.js';
import type { Part } from './part.js';

const FULL_SIZE = 100_000;
const MAX_MESSAGE = 2000;
/** A configuration has a line for each of its problems; there is an end to that too. */
const MAX_LINES = 30;

/** Gives mutated files to every reader: it parses them, or refuses with an error that its user can read. */
export const fuzzedInputs: Part = {
  name: 'fuzz',
  summary: 'mutated files of every format: parsed, or refused in one line',
  run: (setting) => runCampaign('fuzz', setting, Math.ceil(FULL_SIZE * setting.size)),
};

export async function openFuzz({ folder, workshop, seed }: { folder: string; workshop: string; seed: number }) {
  const inputs = join(folder, 'inputs');
  mkdirSync(inputs, { recursive: true });
  const formats = (await fuzzFormats(inputs, workshop)).flatMap((format) => new Array(format.weight).fill(format));
  return {
    attempt: async (index) => {
      const random = createRandom(seed, 'fuzz', index);
      const format = random.choice<FuzzFormat>(formats);
      const bytes = mutate(random, random.choice(format.seeds), format.seeds);
      try {
        await format.read(bytes);
        return undefined;
      } catch (error) {
        const why = whyUnreadable(error, format);
        if (why === undefined) return undefined;
        const kept = join(folder, `lost-${index}`);
        writeFileSync(kept, bytes);
        return { what: `fuzz ${index}, ${format.name} (${kept})`, why };
      }
    },
  } satisfies Campaign;
}

/** What is wrong with a refusal. */
function whyUnreadable(error: unknown, { throwsPlainErrors = false }: FuzzFormat): string | undefined {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const isPlain = throwsPlainErrors && (error.constructor === Error || error.name === 'EventFileError');
  if (!(error instanceof UserError) && !isPlain)
    return `${error.name}: ${error.stack?.split('\n').slice(0, 3).join(' | ')}`;
  const lines = error.message.split('\n');
  if (lines.length > (error instanceof ConfigError ? MAX_LINES : 1)) return `${lines.length} lines: ${lines[0]}`;
  const long = lines.find((line) => line.length >= MAX_MESSAGE);
  if (long !== undefined) return `a line of ${long.length} characters: ${long.slice(0, 80)}`;
  const control = lines.find((line) => /\p{Cc}/u.test(line));
  return control === undefined ? undefined : `control characters: ${JSON.stringify(control).slice(0, 200)}`;
}
