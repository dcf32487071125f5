/** What an SVG document of the Open Clip Art Library says about itself. */
export interface SvgMetadata {
  readonly title: string;
  readonly description: string;
  readonly keywords: readonly string[];
  readonly creator: string;
}

/** Dublin Core in `<metadata>`; '' and none for what is missing. Source: https://www.w3.org/TR/SVG11/metadata.html */
export function svgMetadata(svg: string): SvgMetadata {
  const block = /<metadata[\s>][\s\S]*?<\/metadata>/.exec(svg)?.[0] ?? '';
  const creator = content(block, 'dc:creator');
  // The publisher, the creator and the holder of the rights have titles of their own.
  const own = ['dc:publisher', 'dc:creator', 'dc:rights', 'dc:contributor'].reduce(
    (rest, name) => rest.replace(new RegExp(`<${name}[\\s>][\\s\\S]*?</${name}>`, 'g'), ''),
    block,
  );
  const keywords = [...content(own, 'dc:subject').matchAll(/<rdf:li[^>]*>([\s\S]*?)<\/rdf:li>/g)];
  return {
    title: plain(content(own, 'dc:title')),
    description: plain(content(own, 'dc:description')),
    keywords: keywords.map(([, keyword]) => plain(keyword).toLowerCase()).filter((keyword) => keyword !== ''),
    creator: plain(content(creator, 'dc:title')),
  };
}

function content(xml: string, name: string): string {
  return new RegExp(`<${name}(?:\\s[^>]*[^/])?>([\\s\\S]*?)</${name}>`).exec(xml)?.[1] ?? '';
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Text without tags, entities and line breaks. */
function plain(xml: string): string {
  return xml
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(?:#(\d{1,6})|#x([\da-f]{1,5})|(\w+));/gi, (entity, decimal, hexadecimal, name) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? entity;
      const code = decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal);
      return code >= 32 && code <= 0x10ffff ? String.fromCodePoint(code) : ' ';
    })
    .replace(/\s+/g, ' ')
    .trim();
}
