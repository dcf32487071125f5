import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { linkTarget } from './linkTarget.js';
import { parsePage } from './page.js';

/**
 * Links between files of the repository that lead nowhere, one line each.
 *
 * @param paths of the markdown files to look at
 */
export function deadLinks(root: string, paths: readonly string[]): string[] {
  const pages = new Map(paths.map((path) => [path, parsePage(readFileSync(join(root, path), 'utf8'))]));
  return [...pages].flatMap(([from, { links }]) =>
    links.flatMap(({ href, line }) => {
      const target = linkTarget(from, href);
      const dead = (why: string): string[] => [`${from}:${line}: ${href}: ${why}`];
      if (target.kind === 'address') return [];
      if (target.kind === 'outside') return dead('expected a path inside the repository');
      if (!existsSync(join(root, target.path))) return dead(`${target.path} does not exist`);
      const page = pages.get(target.path);
      if (target.anchor === undefined || page === undefined || page.anchors.has(target.anchor)) return [];
      return dead(`no heading of ${target.path} has this anchor`);
    }),
  );
}
