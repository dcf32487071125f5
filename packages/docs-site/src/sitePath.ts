/** Where a page of the repository is in the site: in the same place, but a README is the page of its folder. */
export function sitePath(path: string): string {
  return path.replace(/(^|\/)README\.md$/, '$1index.md');
}
