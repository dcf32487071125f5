import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Interrupted } from '#src/cli';
import { RunError } from '#src/errors';
import { writeJsonAtomic } from '#src/storage';
import { FAILURE, inResultFolder } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';

const provenance = {
  command: 'test',
  config: { seed: 1 },
  seed: 1,
  engine: { name: 'cpu', why: '', device: '', version: '' } as const,
};

/** Runs work that has a result and then ends with an error. */
async function failing(folder: string, error: Error): Promise<void> {
  const work = async (): Promise<never> => {
    writeJsonAtomic(join(folder, 'result.json'), {});
    throw error;
  };
  await expect(inResultFolder(folder, provenance, { isOwn: () => true }, work)).rejects.toBe(error);
}

describe('a run that fails', () => {
  it('leaves a note of why, until another attempt begins', async () => {
    const folder = join(temporaryFolder(), 'run');
    await failing(folder, new RunError('the loss is NaN'));
    expect(JSON.parse(readFileSync(join(folder, FAILURE), 'utf8'))).toMatchObject({ message: 'the loss is NaN' });
    await inResultFolder(folder, provenance, { isOwn: () => true }, async () => {
      expect(existsSync(join(folder, FAILURE))).toBe(false);
    });
    expect(existsSync(join(folder, FAILURE))).toBe(false);
  });

  it('leaves none when a signal ended it', async () => {
    const folder = join(temporaryFolder(), 'run');
    await failing(folder, new Interrupted('SIGTERM'));
    expect(existsSync(join(folder, FAILURE))).toBe(false);
  });
});
