import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { NO_CHROMIUM, openChromium } from './chromium.mjs';

/** Parts of pages that tokenfuse writes: from which element on, clicked where it opens something, and how many pixels. */
const PICTURES = [
  { name: 'report-captions', page: 'report.html', element: 'h2:text-is("Captions")', height: 880 },
  {
    name: 'inspection',
    page: 'align-inspection/inspection.html',
    element: 'summary:has-text("ffn · vision")',
    height: 620,
  },
];

/** Pictures of a quickstart's pages into `docs/figures`. @param run its folder, with `tokenfuse inspect` in `align-inspection` */
export async function takePictures(run, figures) {
  const browser = await openChromium();
  if (browser === undefined) throw new Error(NO_CHROMIUM);
  try {
    const window = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    for (const { name, page, element, height } of PICTURES) {
      const path = resolve(run, page);
      if (!existsSync(path))
        throw new Error(
          `expected ${path}; run the quickstart, then tokenfuse inspect <run>/align --out <run>/align-inspection`,
        );
      await window.goto(pathToFileURL(path).href, { waitUntil: 'load' });
      const start = window.locator(element).first();
      await start.click();
      const y = await start.evaluate((found) => found.getBoundingClientRect().top + globalThis.scrollY);
      const clip = { x: 0, y: y - 8, width: 1280, height };
      const png = await window.screenshot({ fullPage: true, clip });
      await sharp(png).webp({ quality: 80 }).toFile(`${figures}/${name}.webp`);
    }
  } finally {
    await browser.close();
  }
}
