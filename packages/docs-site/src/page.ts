import MarkdownIt, { type Token } from 'markdown-it';
import { headingSlug } from './headingSlug.js';

/** A link or an image. */
export interface PageLink {
  readonly href: string;
  readonly isImage: boolean;
  /** The first line of the paragraph that it is in, from 1. */
  readonly line: number;
}

/** A fenced or an indented block. */
export interface CodeBlock {
  /** The word behind the fence; empty for an indented block and for a fence without one. */
  readonly language: string;
  readonly text: string;
  /** The line of its first line of code, from 1. */
  readonly line: number;
}

/** What links, commands and the sidebar need of a markdown file. */
export interface Page {
  /** The text of its first heading; empty when it has none. */
  readonly title: string;
  /** What a link to this page may name behind `#`. */
  readonly anchors: ReadonlySet<string>;
  readonly links: readonly PageLink[];
  readonly blocks: readonly CodeBlock[];
  /** Code in running text. */
  readonly inlineCode: readonly string[];
}

const parser = new MarkdownIt({ html: true });

/** Reads a markdown file. */
export function parsePage(markdown: string): Page {
  const anchors = new Set<string>();
  const links: PageLink[] = [];
  const blocks: CodeBlock[] = [];
  const inlineCode: string[] = [];
  let title = '';
  const tokens = parser.parse(markdown, {});
  for (const [i, token] of tokens.entries()) {
    const line = (token.map?.[0] ?? 0) + 1;
    if (token.type === 'heading_open') {
      const heading = plainText(tokens[i + 1]);
      if (title === '') title = heading;
      anchors.add(uniqueSlug(headingSlug(heading), anchors));
    } else if (token.type === 'fence') {
      blocks.push({ language: token.info.trim(), text: token.content, line: line + 1 });
    } else if (token.type === 'code_block') {
      blocks.push({ language: '', text: token.content, line });
    }
    for (const part of [token, ...(token.children ?? [])]) {
      if (part.type === 'link_open') links.push({ href: part.attrGet('href') ?? '', isImage: false, line });
      if (part.type === 'image') links.push({ href: part.attrGet('src') ?? '', isImage: true, line });
      if (part.type === 'code_inline') inlineCode.push(part.content);
      if (part.type === 'html_inline' || part.type === 'html_block')
        for (const [, id] of part.content.matchAll(/\sid="([^"]+)"/g)) anchors.add(id);
    }
  }
  return { title, anchors, links, blocks, inlineCode };
}

/** A heading as it reads, without marks. */
function plainText({ children }: Token): string {
  return (children ?? [])
    .map(({ type, content }) => (type === 'text' || type === 'code_inline' ? content : ''))
    .join('');
}

/** The second heading of a name is `name-1`. */
function uniqueSlug(slug: string, taken: ReadonlySet<string>): string {
  if (!taken.has(slug)) return slug;
  for (let i = 1; ; i++) if (!taken.has(`${slug}-${i}`)) return `${slug}-${i}`;
}
