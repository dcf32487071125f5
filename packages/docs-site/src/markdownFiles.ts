import { readdirSync } from 'node:fs';

/** What is not written by people: installed, built, results. */
const LEFT_OUT = /^(\..*|node_modules|dist(-.*)?|runs|data|pages)$/;

/** All markdown files of the repository, as paths in it, in order. */
export function markdownFiles(root: string, folder = ''): string[] {
  return readdirSync(`${root}/${folder}`, { withFileTypes: true })
    .filter(({ name }) => !LEFT_OUT.test(name))
    .flatMap((entry) => {
      const path = `${folder}${entry.name}`;
      if (entry.isDirectory()) return markdownFiles(root, `${path}/`);
      return entry.isFile() && path.endsWith('.md') ? [path] : [];
    })
    .sort();
}
