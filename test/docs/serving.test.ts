import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '#experiments';
import { SERVE_DEFAULTS } from '#serving';
import { selectEngine } from '#src/engine';
import { DECODING_FIELDS } from '../../serving/front/fields.js';
import { ROUTES, type Route } from '../../serving/front/routes.js';
import { startServer } from '../support/startedServer.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyService } from '../support/tinyService.js';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/serving.md'), 'utf8');
const commands = page
  .split('\n')
  .filter((line) => line.startsWith('    curl '))
  .map((line) => line.trim());
const hasCurl = spawnSync('curl', ['--version']).status === 0;

beforeAll(async () => {
  await selectEngine('wasm');
});

describe('docs/serving.md', () => {
  it('has a curl for every route', () => {
    for (const { path } of Object.values<Route>(ROUTES)) {
      expect(
        commands.some((line) => new RegExp(`${path}(\\?|'|$)`).test(line)),
        path,
      ).toBe(true);
    }
  });

  it.skipIf(!hasCurl)('has commands that work, in their order', async () => {
    const folder = temporaryFolder();
    await writeTinyService(folder);
    const red = { create: { width: 40, height: 30, channels: 3 as const, background: 'red' } };
    await sharp(red).toFile(join(folder, 'photo.jpg'));
    await sharp(red).toFile(join(folder, 'second.png'));
    const server = await startServer(folder, ['serve', 'merged', '--engine', 'wasm', '--rate', '0']);
    for (const command of commands) {
      const line = command.replace('curl ', 'curl -sf ').replace('http://127.0.0.1:8080', server.url);
      const { status, stdout } = spawnSync('sh', ['-c', line], { cwd: folder, encoding: 'utf8' });
      expect(status, command).toBe(0);
      const route = Object.values<Route>(ROUTES).find(({ path }) => new RegExp(`${path}(\\?|'|$)`).test(command));
      if (route?.answer) expect(route.answer.safeParse(JSON.parse(stdout)).error, command).toBeUndefined();
      else expect(stdout).toContain('# TYPE tokenfuse_requests_total counter');
    }
  });

  it('has the limits that hold', () => {
    const { options } = PROGRAM.commands.find(({ name }) => name === 'serve')!;
    for (const [, option, number] of page.matchAll(/`--([a-z-]+)`,? \(?(\d+)\b/g)) {
      expect(options[option].description, option).toContain(`default ${number}`);
    }
    expect(page).toContain(`connections | ${SERVE_DEFAULTS.maxConnections} |`);
    const caps = ['max-tokens', 'width', 'num-samples'].map((name) => DECODING_FIELDS[name].maximum);
    expect(page).toContain(`\`max-tokens\`, \`width\`, \`num-samples\` | ${caps.join(', ')} |`);
  });
});
