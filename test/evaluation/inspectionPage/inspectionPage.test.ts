import { beforeAll, describe, expect, it } from 'vitest';
import type { GroupUse, InspectedGroup, Inspection } from '#evaluation/inspection';
import { inspectionPage } from '#evaluation/inspectionPage';
import { selectEngine } from '#src/engine';
import { octaveHistogram } from '../../../evaluation/inspection/groupTally.js';

beforeAll(async () => {
  await selectEngine('cpu');
});

const IMAGE_SIZE = 8;
const views = {
  imageSize: IMAGE_SIZE,
  pixelsOf: (index: number) => new Uint8Array(IMAGE_SIZE ** 2 * 3).fill(40 * index),
};

function useOf(stream: GroupUse['stream'], use: readonly number[]): GroupUse {
  const total = use.reduce((sum, u) => sum + u, 0);
  const layerMean = total / use.length;
  const squares = use.reduce((sum, u) => sum + u * u, 0);
  return {
    ...{ stream, rows: 12, shareOfLayer: total > 0 ? 1 : 0, layerMean },
    dead: [...use.keys()].filter((token) => 2 * use[token] <= 0.1 * layerMean),
    effective: squares > 0 ? total ** 2 / squares : 0,
    effectiveAtOnce: squares > 0 ? 1.75 : 0,
    ...{ use, largest: use.map((u) => 2 * u), weight: use.map((u) => u / 4), squaredScore: use.map((u) => u * u) },
    ...{ tokensByUse: octaveHistogram(use.map((u) => u / (layerMean || 1))), singleUses: octaveHistogram(use) },
    contexts: use.map((u, token) => (u > 0 ? [[token % 3, token % 4, 2 * u]] : [])),
  };
}

function groupOf(layer: string, group: string, use: readonly number[], stream: GroupUse['stream']): InspectedGroup {
  return {
    path: `block0/attention/${layer}/${group}`,
    ...{ block: 0, layer, group, numParamTokens: use.length, dIn: 4, dOut: 4, tau: 2.5 },
    keyNorms: use.map((_, i) => 1 + i),
    valueNorms: use.map((_, i) => 2 + i),
    uses: [useOf(stream, use)],
  };
}

function inspectionOf(groups: readonly InspectedGroup[], given: Partial<Inspection> = {}): Inspection {
  return {
    format: 1,
    model: { name: 'model', kind: 'fusion', method: 'routed', manifest: 'ab'.repeat(32), patchGrid: 2 },
    data: { images: { source: 'images', count: 3 }, texts: { source: 'texts', count: 3 } },
    settings: { limit: 10, contexts: 1, deadShare: 0.1 },
    groups,
    similarity: null,
    bridges: null,
    images: [0, 1, 2].map((index) => ({ index, name: `image${index}.png` })),
    texts: [0, 1, 2].map((index) => ({ index, image: null, tokens: ['<|endoftext|>', 'one', ' two', ' three'] })),
    ...given,
  };
}

/** The cells of table rows, as text. */
function tableRows(page: string): string[][] {
  return [...page.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row]) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell]) =>
      cell.replace(/<small>.*<\/small>/s, '').replace(/<[^>]+>/g, ''),
    ),
  );
}

describe('the page of an inspection', () => {
  it('shows the numbers of the JSON', async () => {
    const use = [0.5, 4.125, 0, 1.5];
    const group = groupOf('value', 'vision', use, 'image');
    const page = await inspectionPage(inspectionOf([group]), views, 2);
    const [{ effective, layerMean }] = group.uses;
    const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;
    expect(tableRows(page)[1]).toEqual([
      ...['value · vision', '1', '4', '100 %', '1', percent(effective / 4), percent(1.75 / 4)],
      ...['0.383', '2.5', '3.5', '2.5'],
    ]);
    const figure = (value: number) => String(Number(value.toPrecision(3)));
    for (const token of [1, 3]) {
      const [, card] = new RegExp(`id="image-block0-attention-value-vision-${token}">(.*?)</div>\\n`, 's').exec(page)!;
      const facts = [...card.matchAll(/<span>(.*?)<\/span>/g)].map(([, fact]) => fact);
      const share = use[token] / use.reduce((a, b) => a + b);
      expect(facts).toEqual([
        ...[`× ${figure(use[token] / layerMean)}`, `${percent(share)} of the group`, `mean ${figure(use[token])}`],
        ...[
          `largest ${figure(2 * use[token])}`,
          `|S| ${figure(use[token] / 4)}`,
          `‖K‖ ${1 + token}`,
          `‖V‖ ${2 + token}`,
        ],
      ]);
      expect(card).toContain(`<figcaption>${figure(2 * use[token])}</figcaption>`);
    }
    expect(page).toContain('never used');
    expect(page).toContain('<h5>mean use</h5><pre tabindex="0">    0:     0.5    4.13       0     1.5</pre>');
  });

  it('gives equal bytes for equal inspections', async () => {
    const inspection = inspectionOf([groupOf('value', 'vision', [1, 2, 3], 'image')]);
    expect(await inspectionPage(inspection, views, 3)).toBe(await inspectionPage(inspection, views, 3));
  });

  it('escapes names and texts, and shows what would not be seen', async () => {
    const tokens = ['<|endoftext|>', '<script>alert(1)</script>', ' \n', '', '\u0007\u202eabc'];
    const texts = [0, 1, 2].map((index) => ({ index, image: 1, tokens }));
    const name = `${'long'.repeat(80)}"><img onerror=x>.png`;
    const images = [0, 1, 2].map((index) => ({ index, name }));
    const uses = [useOf('text', [1, 1, 1, 1, 1])];
    const contexts = [0, 1, 2, 3, 4].map((position) => [[0, position, 1, 2] as const]);
    const group = { ...groupOf('value', 'language', [1, 1, 1, 1, 1], 'text'), uses: [{ ...uses[0], contexts }] };
    const page = await inspectionPage(inspectionOf([group], { texts, images }), views, 5);
    for (const raw of ['<script', '<img o', '\u0007', '\u202e']) expect(page).not.toContain(raw);
    const marks = [...page.matchAll(/<mark>(.*?)<\/mark>/gs)].map(([, mark]) => mark);
    expect(marks.sort()).toEqual(
      ['⟨eot⟩', '&lt;script&gt;alert(1)&lt;/script&gt;', '␣⏎', '\ufffd', '\ufffd\ufffdabc'].sort(),
    );
    expect(page).toContain('row 1, column 0');
  });

  it('says what is missing: no data, a group that writes nothing', async () => {
    const silent = groupOf('value', 'textBridge', [0, 0, 0], 'text');
    const page = await inspectionPage(inspectionOf([silent]), undefined, 3);
    expect(page).toContain('Nothing uses this group: its values are zero, or its gate is closed.');
    expect(page).toContain('none above 0');
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
    const withoutData = inspectionOf([{ ...silent, uses: [] }], { data: null });
    const bare = await inspectionPage(withoutData, undefined, 3);
    expect(bare).toContain('No data was read');
    expect([...bare.matchAll(/<section id="(\w+)"/g)].map(([, id]) => id)).toEqual(['overview']);
  });

  it('lists groups that the data did not reach', async () => {
    const idle = { ...groupOf('value', 'visionDecoder', [1, 2], 'image'), uses: [] };
    const page = await inspectionPage(inspectionOf([groupOf('value', 'vision', [1], 'image'), idle]), views, 3);
    expect(page).toMatch(/Not used by this data.*value · visionDecoder/s);
  });

  it('stays small with thousands of parameter tokens and images, and says what it leaves out', async () => {
    const count = 5000;
    const noise = {
      imageSize: 224,
      pixelsOf: (index: number) =>
        Uint8Array.from({ length: 224 ** 2 * 3 }, (_, i) => Math.imul(i + index, 2_654_435_761) >>> 24),
    };
    const use = Array.from({ length: count }, (_, i) => 1 + (i % 17));
    const contexts = use.map((_, token) =>
      Array.from({ length: 6 }, (__, k) => [(6 * token + k) % 300, 0, 1] as const),
    );
    const groups = ['query', 'key', 'value'].flatMap((layer) =>
      Array.from({ length: 8 }, (_, block) => {
        const group = groupOf(layer, 'vision', use, 'image');
        return { ...group, block, uses: [{ ...group.uses[0], contexts }] };
      }),
    );
    const images = Array.from({ length: 300 }, (_, index) => ({ index, name: `${index}.png` }));
    const page = await inspectionPage(inspectionOf(groups, { images }), noise, 50);
    expect(Buffer.byteLength(page)).toBeLessThan(10_000_000);
    expect(/\d+ images are left out to keep the page small/.test(page)).toBe(true);
    expect(page.includes('In a group of more than 1,024 tokens, neighbours share a column')).toBe(true);
  });
});
