import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sendRaw } from '../../bench/serving/httpClient.js';
import { openSite } from '../../serving/front/site.js';
import { serveApp } from '../support/servingApp.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const SECRET = 'the secret beside the site';

function writeSite(): string {
  const folder = temporaryFolder();
  const site = join(folder, 'site');
  mkdirSync(join(site, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'secret.txt'), SECRET);
  writeFileSync(join(site, 'index.html'), '<p>page');
  writeFileSync(join(site, 'assets', 'model é.bin'), 'weights');
  writeFileSync(join(site, 'assets', 'app.js'), 'go()');
  writeFileSync(join(site, 'assets', 'k.wasm'), '');
  writeFileSync(join(site, '.env'), SECRET);
  symlinkSync('../secret.txt', join(site, 'link.txt'));
  symlinkSync('..', join(site, 'up'));
  return site;
}

describe('a site', () => {
  it('is served by its files, with their types', async () => {
    const { client } = await serveApp({ site: writeSite(), token: 'a-token-of-this-test' });
    const get = (path: string, headers = {}) => client.send({ method: 'GET', path, headers });
    expect(await get('/')).toMatchObject({
      ...{ status: 200, text: '<p>page' },
      headers: { 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' },
    });
    expect(await get('/index.html')).toMatchObject({ status: 200 });
    expect(await get('/assets/app.js?v=1')).toMatchObject({
      ...{ text: 'go()', headers: { 'content-type': 'text/javascript; charset=utf-8' } },
    });
    expect(await get('/assets/model%20%C3%A9.bin')).toMatchObject({
      ...{ text: 'weights', headers: { 'content-type': 'application/octet-stream' } },
    });
    expect(await get('/assets/k.wasm')).toMatchObject({ status: 200, headers: { 'content-type': 'application/wasm' } });
    const { headers } = await get('/');
    expect(await get('/', { 'if-none-match': headers.etag })).toMatchObject({ status: 304, text: '' });
    // The rest of the server still wants its token.
    expect(await get('/v1/model')).toMatchObject({ status: 401 });
  });

  it('lets nothing outside of it be read', async () => {
    const site = writeSite();
    const { url } = await serveApp({ site });
    const paths = [
      ...['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/assets/../../secret.txt', '/link.txt', '/.env'],
      ...['/up/secret.txt', '//etc/passwd', '/%00', '/..\\secret.txt', '/assets', '/assets/', `/${site}/index.html`],
      ...['/%c0%ae%c0%ae/secret.txt', '/index.html/', '/%', '/index.html%00.js'],
    ];
    for (const path of paths) {
      const text = await sendRaw(url, [`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`]);
      expect(text, path).not.toContain(SECRET);
      expect(text, path).toMatch(/^HTTP\/1\.1 40[04] /);
    }
  });

  it('takes no link and no pipe in the place of a file', async () => {
    const folder = writeSite();
    const site = openSite(folder);
    rmSync(join(folder, 'index.html'));
    symlinkSync('../secret.txt', join(folder, 'index.html'));
    expect(await site.open('/')).toBeUndefined();
    rmSync(join(folder, 'assets', 'app.js'));
    expect(await site.open('/assets/app.js')).toBeUndefined();
  });

  it('has an index, and a folder', () => {
    expect(() => openSite(temporaryFolder())).toThrow('expected an index.html in it, got none');
    expect(() => openSite('/nowhere/at/all')).toThrow('cannot read --site /nowhere/at/all');
  });
});
