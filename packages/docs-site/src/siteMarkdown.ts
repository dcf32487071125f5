import type MarkdownIt from 'markdown-it';
import type { Token } from 'markdown-it';
import { linkTarget } from './linkTarget.js';
import { isCommandBlock } from './shellCommands.js';
import { sitePath } from './sitePath.js';

/** What links are made of. */
export interface SiteLinks {
  /** Paths of the pages in the repository. */
  readonly pages: ReadonlySet<string>;
  /** Address of a folder or file of the repository is `<sources>/<path>`; without it, links to them become text. */
  readonly sources?: string;
}

/** Makes markdown-it render the repository's pages for the site: their links, and indented blocks like fenced ones. */
export function siteMarkdown(md: MarkdownIt, { pages, sources }: SiteLinks): void {
  const bySitePath = new Map([...pages].map((path) => [sitePath(path), path]));
  md.core.ruler.push('site', ({ tokens, env }) => {
    const from = bySitePath.get((env as { relativePath: string }).relativePath);
    for (const token of tokens) {
      if (token.type === 'code_block') {
        token.type = 'fence';
        token.info = isCommandBlock(token.content) ? 'sh' : 'text';
        token.markup = '```';
      }
      if (from !== undefined && token.children) leadLinks(token.children, from, pages, sources);
    }
  });
}

function leadLinks(tokens: readonly Token[], from: string, pages: ReadonlySet<string>, sources?: string): void {
  let isText = false;
  for (const token of tokens) {
    if (token.type === 'link_close' && isText) {
      becomeText(token);
      isText = false;
    }
    if (token.type !== 'link_open') continue;
    const href = token.attrGet('href') ?? '';
    const target = linkTarget(from, href);
    if (target.kind !== 'file' || href.startsWith('#')) continue;
    const anchor = target.anchor === undefined ? '' : `#${target.anchor}`;
    if (pages.has(target.path)) token.attrSet('href', `/${sitePath(target.path)}${anchor}`);
    else if (sources !== undefined) token.attrSet('href', `${sources}/${target.path}${anchor}`);
    else {
      becomeText(token);
      isText = true;
    }
  }
}

function becomeText(token: Token): void {
  token.type = 'text';
  token.tag = '';
  token.nesting = 0;
  token.content = '';
}
