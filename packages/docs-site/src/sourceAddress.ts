/**
 * The address that paths of the repository follow, from `repository` of package.json.
 *
 * @returns undefined where there is none
 */
export function sourceAddress(manifest: {
  readonly repository?: string | { readonly url: string };
}): string | undefined {
  const { repository } = manifest;
  const url = typeof repository === 'string' ? repository : repository?.url;
  if (url === undefined) return undefined;
  const address = url
    .replace(/^github:/, 'https://github.com/')
    .replace(/^git\+/, '')
    .replace(/\.git$/, '');
  return `${address}/blob/HEAD`;
}
