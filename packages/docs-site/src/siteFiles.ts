import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { linkTarget } from './linkTarget.js';
import { parsePage } from './page.js';
import { SECTIONS, type Section } from './sections.js';
import { sitePath } from './sitePath.js';

/** Copies the pages, with the pictures in them, to where the generator reads them; the tree stays as it is. */
export function copyPages(root: string, pages: readonly string[], folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  for (const path of pages) {
    const { links } = parsePage(readFileSync(join(root, path), 'utf8'));
    const pictures = links.flatMap(({ href, isImage }) => {
      const target = linkTarget(path, href);
      return isImage && target.kind === 'file' ? [target.path] : [];
    });
    for (const file of [path, ...pictures]) {
      if (!existsSync(join(root, file))) throw new Error(`${path}: the picture ${file} is missing`);
      const copy = join(folder, sitePath(file));
      mkdirSync(dirname(copy), { recursive: true });
      cpSync(join(root, file), copy);
    }
  }
}

/** An entry of the sidebar. */
export interface SidebarEntry {
  readonly text: string;
  readonly link: string;
}

/** The sidebar: sections with their pages, named by their first heading where the section gives no title. */
export function sidebar(
  root: string,
  sections: readonly Section[] = SECTIONS,
): { readonly text: string; readonly items: readonly SidebarEntry[] }[] {
  return sections.map(({ title, pages }) => ({
    text: title,
    items: pages.map((page) => {
      const path = typeof page === 'string' ? page : page.path;
      const text = typeof page === 'string' ? parsePage(readFileSync(join(root, path), 'utf8')).title : page.title;
      return { text, link: `/${sitePath(path).replace(/(index)?\.md$/, '')}` };
    }),
  }));
}
