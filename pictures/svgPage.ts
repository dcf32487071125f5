/** Pixels of a unit at 90 dots per inch, at which drawings without a view box were made (Inkscape before 0.92). */
const UNITS: Readonly<Record<string, number>> = {
  ...{ '': 1, px: 1, pt: 90 / 72, pc: 15, mm: 90 / 25.4, cm: 90 / 2.54, in: 90 },
};

const ROOT = /<(?:svg:)?svg\b(?:"[^"]*"|'[^']*'|[^"'>])*>/;

/**
 * An SVG document whose page has a view box and is `side` pixels at its longer side. Without a view box a renderer would take
 * a page in points for more or fewer pixels than the drawing's program did, and cut the drawing off.
 *
 * @returns the same bytes where the size of the page is unknown
 */
export function withPageOf(document: Buffer, side: number): Buffer {
  // Latin-1 keeps every byte, whatever the encoding.
  const text = document.toString('latin1');
  const root = ROOT.exec(text)?.[0];
  if (root === undefined) return document;
  const viewBox = attribute(root, 'viewBox')
    ?.trim()
    .split(/[\s,]+/)
    .map(Number);
  const page = viewBox?.length === 4 && viewBox.every(Number.isFinite) ? viewBox : pageOf(root);
  const [, , width, height] = page ?? [0, 0, 0, 0];
  if (page === undefined || !(width > 0 && height > 0)) return document;
  const scale = side / Math.max(width, height);
  const bare = root.replace(/\s(?:width|height|viewBox|x|y)\s*=\s*(?:"[^"]*"|'[^']*')/g, '');
  const sized = bare.replace(
    /^<(?:svg:)?svg/,
    (name) => `${name} width="${width * scale}" height="${height * scale}" viewBox="${page.join(' ')}"`,
  );
  return Buffer.from(
    text.replace(root, () => sized),
    'latin1',
  );
}

/** The page of a root element without a view box. */
function pageOf(root: string): number[] | undefined {
  const [width, height] = ['width', 'height'].map((name) => {
    const [, number, unit] = /^\s*([\d.]+(?:e[+-]?\d+)?)\s*([a-z]*)\s*$/i.exec(attribute(root, name) ?? '') ?? [];
    return Number(number) * (UNITS[unit?.toLowerCase() ?? '-'] ?? Number.NaN);
  });
  return width > 0 && height > 0 ? [0, 0, width, height] : undefined;
}

function attribute(element: string, name: string): string | undefined {
  const [, double, single] = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(element) ?? [];
  return double ?? single;
}
