import { readdirSync, readFileSync, statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { HtmlValidate } from 'html-validate';

/** Most bytes of a page with all that it loads before anything is clicked, compressed. */
const MOST_BYTES = 300_000;

/** Looks for broken links, broken HTML and large pages in a built site. Sets the exit code. */
export async function checkBuiltSite(site) {
  const files = readdirSync(site, { recursive: true }).map((name) => name.replaceAll('\\', '/'));
  const pages = new Map(
    files.filter((name) => name.endsWith('.html')).map((name) => [name, readFileSync(`${site}/${name}`, 'utf8')]),
  );
  const base = /<script[^>]+src="(.*?)assets\//.exec(pages.get('index.html'))[1];
  const problems = [...deadLinks(pages, new Set(files), base), ...(await brokenHtml(pages))];
  const sizes = [...pages].map(([name, html]) => [name, loadedBytes(site, html, base)]).sort((a, b) => b[1] - a[1]);
  for (const [name, bytes] of sizes)
    if (bytes > MOST_BYTES) problems.push(`${name}: expected at most ${MOST_BYTES} compressed bytes, got ${bytes}`);
  const total = files
    .map((name) => statSync(`${site}/${name}`))
    .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
  console.log(
    `${pages.size} pages, ${(total / 1e6).toFixed(1)} MB in ${site}; largest: ${sizes[0][0]}, ` +
      `${(sizes[0][1] / 1e3).toFixed(0)} kB compressed with all that it loads`,
  );
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

function deadLinks(pages, files, base) {
  const anchors = new Map(
    [...pages].map(([name, html]) => [
      name,
      new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => decoded(id))),
    ]),
  );
  return [...pages].flatMap(([name, html]) =>
    [...html.matchAll(/\s(?:href|src)="([^"]*)"/g)].flatMap(([, link]) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [path, anchor] = decoded(link).split('#');
      if (path !== '' && !path.startsWith(base)) return [`${name}: ${link}: expected a link below ${base}`];
      const found = path === '' ? name : path.slice(base.length).replace(/(^|\/)$/, '$1index.html');
      if (!files.has(found)) return [`${name}: ${link}: no such file in the site`];
      if (!anchor || anchors.get(found)?.has(anchor)) return [];
      return [`${name}: ${link}: no such anchor`];
    }),
  );
}

function decoded(text) {
  return decodeURIComponent(text.replaceAll('&amp;', '&'));
}

async function brokenHtml(pages) {
  const validator = new HtmlValidate({
    extends: ['html-validate:standard'],
    rules: {
      // How the generator writes is not ours; what it means is.
      'attribute-misuse': 'off',
      'attribute-boolean-style': 'off',
      'doctype-style': 'off',
      'long-title': 'off',
      'no-inline-style': 'off',
      'no-trailing-whitespace': 'off',
      'void-style': 'off',
    },
  });
  const problems = [];
  for (const [name, html] of pages) {
    const { results } = await validator.validateString(html, name);
    for (const { messages } of results)
      for (const { ruleId, message, selector } of messages)
        problems.push(`${name}: ${ruleId}: ${message} (${selector})`);
  }
  return problems;
}

/** Bytes of a page, its scripts, styles and images, as a server sends them compressed. */
function loadedBytes(site, html, base) {
  const loaded = new Set(
    [...html.matchAll(/\s(?:href|src)="([^"]+\.(?:js|css|svg|png|jpg|webp))"/g)]
      .map(([, link]) => link)
      .filter((link) => link.startsWith(base)),
  );
  const sizes = [...loaded].map((link) => gzipSync(readFileSync(`${site}/${link.slice(base.length)}`)).length);
  return sizes.reduce((sum, size) => sum + size, gzipSync(html).length);
}
