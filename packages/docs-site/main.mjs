/**
 * @file `build`: the site into `dist-site/`; `serve`: shows it on this machine; `check`: opens it in a browser; `pictures <run>`: pictures
 * of a quickstart's pages for the docs. Further words of `build` and `serve` go to VitePress, such as `--base /path/`.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { copyPages, PAGE_PATHS } from './dist/index.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const site = `${root}dist-site`;
const [command, ...words] = process.argv.slice(2);

install();
if (command === 'build') {
  copyPages(root, PAGE_PATHS, `${here}pages`);
  vitepress('build', here, ...words);
  const { checkBuiltSite } = await import('./checkBuiltSite.mjs');
  await checkBuiltSite(site);
} else if (command === 'serve') vitepress('preview', here, ...words);
else if (command === 'check') {
  const { checkInBrowser } = await import('./checkInBrowser.mjs');
  await checkInBrowser(site);
} else if (command === 'pictures') {
  const { takePictures } = await import('./takePictures.mjs');
  await takePictures(words[0] ?? `${root}runs/quickstart`, `${root}docs/figures`);
} else throw new Error(`expected build, serve, check or pictures, got ${command}`);

/** Installs this package's own packages where they are missing or another lock's. */
function install() {
  const installed = `${here}node_modules/.package-lock.json`;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${here}package-lock.json`).mtimeMs) return;
  run('npm', 'ci', '--prefix', here, '--no-audit', '--no-fund');
}

function vitepress(...args) {
  run(process.execPath, `${here}node_modules/vitepress/bin/vitepress.js`, ...args);
}

function run(program, ...args) {
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
