import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writePhotos } from '../support/photos.js';
import { SMALL_QUICKSTART } from '../support/smallQuickstart.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
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
