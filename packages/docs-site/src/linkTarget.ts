import { posix } from 'node:path';

/** Where a link of a markdown file leads. */
export type LinkTarget =
  /** Another site. */
  | { readonly kind: 'address' }
  /** A file or folder of the repository. `anchor` is what follows `#`. */
  | { readonly kind: 'file'; readonly path: string; readonly anchor?: string }
  /** Out of the repository, or from a machine's root. */
  | { readonly kind: 'outside' };

/** @param from path of the markdown file in the repository */
export function linkTarget(from: string, href: string): LinkTarget {
  if (/^[a-z][a-z+.-]*:/i.test(href)) return { kind: 'address' };
  const [encoded, anchor] = href.split('#');
  const name = decodeURIComponent(encoded);
  const path = name === '' ? from : posix.join(posix.dirname(from), name).replace(/\/$/, '');
  if (name.startsWith('/') || path.startsWith('..')) return { kind: 'outside' };
  return { kind: 'file', path, ...(anchor !== undefined && { anchor: decodeURIComponent(anchor) }) };
}
