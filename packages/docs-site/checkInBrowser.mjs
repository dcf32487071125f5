import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import axe from 'axe-core';
import { NO_CHROMIUM, openChromium } from './chromium.mjs';

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

/**
 * Opens every page of a built site, light at 1280 pixels and dark at 390: contrast, labels and structure by axe, nothing
 * wider than the window, no error, and no request to another server; then searches. Sets the exit code.
 */
export async function checkInBrowser(site) {
  const browser = await openChromium();
  if (browser === undefined) {
    console.log(`not checked in a browser: ${NO_CHROMIUM}`);
    return;
  }
  const server = createServer((request, response) => answer(site, request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${server.address().port}`;
  const pages = readdirSync(site, { recursive: true }).filter((name) => name.endsWith('.html') && name !== '404.html');
  const problems = [];
  try {
    for (const [colorScheme, width] of [
      ['light', 1280],
      ['dark', 390],
    ]) {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
      const page = await context.newPage();
      let at = '';
      const problem = (text) => problems.push(`${at} (${colorScheme}, ${width} pixels): ${text}`);
      page.on('pageerror', (error) => problem(error.message));
      page.on('console', (message) => message.type() === 'error' && problem(message.text()));
      page.on('request', (request) => {
        if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(origin))
          problem(`asks for ${request.url()}`);
      });
      for (const name of pages) {
        at = name;
        await page.goto(`${origin}/${name}`, { waitUntil: 'networkidle' });
        for (const { id, help, nodes } of await violations(page))
          problem(
            `${id}: ${help}: ${nodes
              .map(({ target }) => target.join(' '))
              .slice(0, 3)
              .join(', ')}`,
          );
        const scrolled = await page.evaluate(() => document.documentElement.scrollWidth);
        if (scrolled > width) problem(`expected nothing wider than the window, got ${scrolled} pixels`);
      }
      at = 'search';
      await page.goto(`${origin}/index.html`, { waitUntil: 'networkidle' });
      if ((await resultsOf(page, 'bridge')) === 0) problem("expected results for 'bridge', got none");
      await context.close();
    }
  } finally {
    await browser.close();
    server.close();
  }
  console.log(`${pages.length} pages opened twice in Chromium; axe ${axe.version}`);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, {
      resultTypes: ['violations'],
      // The corner above the names of rows stays empty.
      rules: { 'empty-table-header': { enabled: false } },
    }),
  );
  return found.violations;
}

async function resultsOf(page, words) {
  await page.locator('.VPNavBarSearch button').first().click();
  await page.locator('.search-input').fill(words);
  await page
    .locator('.results .result')
    .first()
    .waitFor({ timeout: 10_000 })
    .catch(() => undefined);
  return page.locator('.results .result').count();
}

function answer(site, request, response) {
  const path =
    site + decodeURIComponent(new URL(request.url, 'http://localhost').pathname).replace(/\/$/, '/index.html');
  if (!existsSync(path)) {
    response.writeHead(404).end();
    return;
  }
  response
    .writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' })
    .end(readFileSync(path));
}
