import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { COLOUR_NAMES, writeCaptionsJson } from '../support/tinyCaptions.js';
import { tinySizes } from '../support/tinySizes.js';
import { runScript, tokenfuseProcess } from '../support/tokenfuse.js';

const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const scripts: Record<string, string> = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts;

/** The lines of all indented blocks, in their order: the commands of the README. */
const commands = readme
  .replaceAll(/ \\\n +/g, ' ')
  .split('\n')
  .filter((line) => line.startsWith('    '))
  .map((line) => line.trim());
const [program] = /```ts\n([\s\S]*?)```/.exec(readme)?.slice(1) ?? [];

/** `photos/` with a picture for each caption of `photos/captions.json`. */
async function writePhotos(folder: string): Promise<void> {
  mkdirSync(join(folder, 'photos'));
  const images = Array.from({ length: 24 }, (_, i) => ({ id: i + 1, file_name: `${i + 1}.jpg` }));
  const captions = images.flatMap(({ id }) => {
    const colour = COLOUR_NAMES[id % COLOUR_NAMES.length];
    return [`a ${colour} wall`, `a wall painted ${colour}`].map((caption) => ({ image_id: id, caption }));
  });
  for (const { id, file_name: name } of images) {
    const background = COLOUR_NAMES[id % COLOUR_NAMES.length];
    await sharp({ create: { width: 40 + id, height: 32, channels: 3, background } }).toFile(
      join(folder, 'photos', name),
    );
  }
  writeCaptionsJson(join(folder, 'photos'), images, captions);
}

/** Settings that make the quickstart a matter of seconds; what it must reach is left out with its size. */
const SMALL_QUICKSTART = [
  ...['visionTrain=16', 'visionVal=8', 'languageTrain=120', 'languageVal=8', 'pairsTrain=12', 'pairsVal=6'],
  ...['testSeen=6', 'testHeldOut=5', 'testDisagreeSeen=6', 'testDisagreeHeldOut=6'],
]
  .map((count) => `scenes.scenes.counts.${count}`)
  .concat(
    ['vision', 'language', 'align'].flatMap((stage) =>
      ['steps=4', 'warmupSteps=1', 'batchSize=4', 'evaluateEvery=2', 'checkpointEvery=2'].map(
        (setting) => `${stage}.training.${setting}`,
      ),
    ),
    ['seen', 'held-out'].map((set) => `expect.objectAccuracy.${set}=0`),
    ['expect.shuffledAboveBlind=1', 'tokenizer.vocabSize=320', 'evaluate.bootstrapSamples=5'],
  )
  .flatMap((word) => ['--set', word]);

describe('the commands of the README, in order', () => {
  it('are these', () => {
    expect(commands).toEqual([
      'npm ci && npm run quickstart',
      'npm ci && npm test',
      expect.stringMatching(/^npx tokenfuse init \S+ --images photos --captions photos\/captions.json$/),
      expect.stringMatching(/^npx tokenfuse run /),
      expect.stringMatching(/^npx tokenfuse caption /),
      expect.stringMatching(/^npx tokenfuse init trial /),
      expect.stringMatching(/^npx tokenfuse run trial\/pipeline.yaml --root trial --set /),
    ]);
  });

  it('run: the quickstart, in a small size', { timeout: 240_000 }, async () => {
    const [, words] = /node dist\/experiments\/main\.js (.*)$/.exec(scripts.quickstart) ?? [];
    const folder = temporaryFolder();
    const { code, stdout, stderr } = await tokenfuseProcess(
      [...words.split(' '), '--root', folder, ...SMALL_QUICKSTART],
      root,
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`report: ${join(folder, 'report.html')}`);
  });

  it("run: one's own images, and the program", { timeout: 240_000 }, async () => {
    const folder = temporaryFolder();
    await writePhotos(folder);
    for (const command of commands.filter((line) => line.startsWith('npx tokenfuse '))) {
      const words = command.split(' ').slice(2);
      const sizes = words[0] === 'run' ? tinySizes() : [];
      const { code, stdout, stderr } = await tokenfuseProcess([...words, ...sizes], folder);
      expect(code, `${command}\n${stderr}`).toBe(0);
      if (words[0] === 'caption') expect(stdout.trim().split('\n').length).toBeGreaterThanOrEqual(24);
    }

    // The program stands beside a finished quickstart and a photo.
    cpSync(join(folder, 'photos-model/align'), join(folder, 'runs/quickstart/align'), { recursive: true });
    cpSync(join(folder, 'photos/1.jpg'), join(folder, 'photo.jpg'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules/tokenfuse'), 'junction');
    writeFileSync(join(folder, 'program.mjs'), program);
    const { code, stdout, stderr } = await runScript(join(folder, 'program.mjs'), folder);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^\[ .+ \]\n$/);
    rmSync(folder, { recursive: true });
  });
});
