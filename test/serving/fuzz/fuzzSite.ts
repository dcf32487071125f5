import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** In files beside the site and below links of it. */
export const FUZZ_SECRET = 'what-no-answer-may-contain';

/** A site with ways out of it: links, a hidden file, a secret beside it. @returns its folder */
export function writeFuzzSite(folder: string): string {
  const site = join(folder, 'site');
  mkdirSync(site);
  writeFileSync(join(site, 'index.html'), '<p>page');
  for (const path of [join(folder, 'secret.txt'), join(site, '.hidden')]) writeFileSync(path, FUZZ_SECRET);
  symlinkSync('../secret.txt', join(site, 'link.txt'));
  symlinkSync('..', join(site, 'up'));
  return site;
}
