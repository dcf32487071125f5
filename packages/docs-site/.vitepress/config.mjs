import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { headingSlug, PAGE_PATHS, sidebar, siteMarkdown, sourceAddress } from '../dist/index.js';
import { drawMermaid } from '../drawMermaid.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
const icon =
  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><circle cx='12' cy='16' r='10' fill='%233a6ea5'/><circle cx='20' cy='16' r='10' fill='%23c8553d' fill-opacity='.8'/></svg>";

export default defineConfig({
  lang: 'en',
  title: manifest.name,
  description: manifest.description,
  srcDir: 'pages',
  outDir: `${root}/dist-site`,
  cacheDir: 'node_modules/.cache/vitepress',
  // Dates and authors of pages come from git, which a package or a snapshot does not have.
  lastUpdated: false,
  head: [['link', { rel: 'icon', href: `data:image/svg+xml,${icon}` }]],
  markdown: {
    // The pages are GitHub's markdown: nothing in braces, colons or angle brackets means more than there.
    attrs: false,
    component: false,
    container: false,
    emoji: false,
    include: false,
    snippet: false,
    anchor: { slugify: headingSlug },
    config: (md) => {
      siteMarkdown(md, { pages: new Set(PAGE_PATHS), sources: sourceAddress(manifest) });
      drawMermaid(md);
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    sidebar: sidebar(root),
    outline: { level: [2, 3] },
    nav: [
      { text: 'Your own pictures', link: '/docs/own-model' },
      { text: 'Commands', link: '/docs/commands' },
      { text: 'Results', link: '/experiments/RESULTS' },
    ],
    footer: { message: `tokenfuse ${manifest.version}, ${manifest.license}` },
  },
});
