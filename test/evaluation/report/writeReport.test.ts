import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ReportData, reportHtml, writeReport } from '#evaluation/report';
import { sceneProbe } from '#scenes';
import { UserError } from '#src/errors';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { demoReport } from './demoReport.js';

const minimal: ReportData = {
  title: 'minimal',
  created: '2026-01-31T12:30:59.123Z',
  provenance: { engine: 'cpu', device: 'CPU', node: 'v20', processor: 'p', seed: 0, command: 'tokenfuse pipeline' },
};

/** The text that a reader sees, tags removed. */
function visibleText(page: string): string {
  return page.replace(/<style>.*?<\/style>/s, '').replace(/<[^>]*>/g, ' ');
}

describe('writeReport', () => {
  it('writes one whole file and no other', async () => {
    const folder = temporaryFolder();
    writeReport(join(folder, 'report.html'), await demoReport(1));
    expect(readdirSync(folder)).toEqual(['report.html']);
    const page = readFileSync(join(folder, 'report.html'), 'utf8');
    expect([page.slice(0, 15), page.slice(-8)]).toEqual(['<!doctype html>', '</html>\n']);
  });

  it('asks nothing of any network', async () => {
    const page = reportHtml(await demoReport(2));
    const addresses = [...page.matchAll(/\b(?:src|href|srcset|action|poster|data)\s*=\s*"([^"]*)"/g)].map(
      ([, to]) => to,
    );
    expect(addresses.length).toBeGreaterThan(6);
    for (const address of addresses) expect(address).toMatch(/^(#[a-z]+|data:image\/png;base64,[A-Za-z0-9+/=]+)$/);
    expect(page).not.toMatch(/<script|<link|@import|url\((?!#)/i);
    expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(/https?:\/\//);
  });

  it('closes every element that it opens', async () => {
    const page = reportHtml(await demoReport(1)).replace(/<style>.*?<\/style>/s, '');
    const open: string[] = [];
    for (const [, closing, name, selfClosing] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/gi)) {
      if (closing) expect(open.pop()).toBe(name);
      else if (!selfClosing && !['meta', 'img', 'br'].includes(name)) open.push(name);
    }
    expect(open).toEqual([]);
  });

  it('shows what there is when there is little', () => {
    const page = reportHtml(minimal);
    expect(page).toContain('tokenfuse pipeline');
    expect(page).toContain('2026-01-31 12:30 UTC');
    expect(page.match(/<h2>/g)).toHaveLength(1);
    const empty = { curves: [], results: [], gallery: [], parameters: [], summary: { checks: [], headline: [] } };
    expect(reportHtml({ ...minimal, ...empty })).toBe(page);
  });

  it('escapes every text', async () => {
    const evil = '<img src=x onerror=alert(1)>"\'&';
    const poison = <T>(value: T): T => {
      if (typeof value === 'string') return evil as T;
      if (Array.isArray(value)) return value.map(poison) as T;
      if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, poison(each)])) as T;
    };
    const { mergePlan, gallery = [], ...rest } = await demoReport(1);
    const page = reportHtml({
      ...poison(rest),
      gallery: gallery.map((item) => ({ ...poison(item), group: item.group })),
      mergePlan: mergePlan && {
        ...mergePlan,
        layers: mergePlan.layers.map(({ block, groups }) => ({
          block,
          layer: evil,
          groups: groups.map((group) => ({ ...group, name: evil })),
        })),
      },
    });
    expect(page).not.toContain('<img src=x');
    expect(page.split('&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;').length).toBeGreaterThan(50);
  });

  it('keeps a report of a whole pipeline small', async () => {
    expect(reportHtml(await demoReport(8)).length).toBeLessThan(600_000);
  });

  it('leaves the earlier report alone when an image cannot be embedded', () => {
    const path = join(temporaryFolder(), 'report.html');
    writeFileSync(path, 'earlier');
    const item = { group: 'seen', image: `${path}.missing.png`, reference: [], generated: 'a', correct: true } as const;
    expect(() => writeReport(path, { ...minimal, gallery: [item] })).toThrow(UserError);
    expect(readFileSync(path, 'utf8')).toBe('earlier');
    expect(existsSync(`${path}.missing.png`)).toBe(false);
  });
});

describe('the sections of a report', () => {
  it('show scores of the model and its controls, dashes where there are none, no column that is empty', () => {
    const page = reportHtml({
      ...minimal,
      results: [
        {
          testSet: 'held-out',
          numImages: 1500,
          attributes: sceneProbe.columns,
          rows: [
            {
              name: 'merged',
              kind: 'model',
              scores: { object: { mean: 0.5, low: 0.45, high: 0.55 }, captionNll: 0.51 },
            },
            { name: 'blind', kind: 'control', scores: { captionNll: 1.134, relation: null } },
          ],
        },
      ],
    });
    expect(page).toContain('1,500 images');
    expect(page).toMatch(/<tr class="emphasised"><th scope="row">merged<\/th>/);
    expect(visibleText(page)).toMatch(
      /merged\s+0\.510\s+1\.665\s+0\.500\s+0\.450–0\.550\s+blind\s+1\.134\s+3\.108\s+–/,
    );
    expect(page).not.toContain('relation');
    expect(page).not.toContain('CIDEr-D');
  });

  it('mark right and wrong words, and enlarge small images with square pixels', async () => {
    const { gallery = [] } = await demoReport(1);
    const page = reportHtml({
      ...minimal,
      gallery: [{ ...gallery[0], marks: [{ word: 'a' }, { word: 'red', ok: true }, { word: 'ring', ok: false }] }],
    });
    expect(page).toContain('<p class="said">a <span class="ok">red</span> <span class="wrong">ring</span></p>');
    expect(page).toContain('width="48" height="48" class="pixelated"');
    expect(page).toContain('<h3>Seen</h3>');
    expect(page).not.toContain('Failures');
  });

  it('total parameters, shorten hashes and name tensors that changed', () => {
    const page = reportHtml({
      ...minimal,
      parameters: [
        { component: 'vision', trained: 0, frozen: 9000 },
        { component: 'bridges', trained: 1000, frozen: 0 },
      ],
      hashes: {
        tensors: [
          { name: 'block0/a', sha256: '0123456789abcdef'.repeat(4), kept: true },
          { name: 'block0/b', sha256: 'f'.repeat(64), kept: false },
        ],
      },
    });
    expect(visibleText(page)).toMatch(/total\s+1,000\s+9,000\s+10 %/);
    expect(visibleText(page)).toMatch(/1 of 2\s+backbone tensors/);
    expect(visibleText(page)).toMatch(/Changed:\s+block0\/b/);
    expect(page).toContain('<code>0123456789ab</code>');
    expect(page).not.toContain('0123456789abc');
  });

  it('count the checks that hold', () => {
    const checks = [
      { label: 'hashes kept', passed: true },
      { label: 'above blind', passed: false, detail: '0.1' },
    ];
    const headline = [{ label: 'trained', value: 147_456 }];
    const text = visibleText(reportHtml({ ...minimal, summary: { checks, headline } }));
    expect(text).toMatch(/1 of 2 passed/);
    expect(text).toMatch(/147,456/);
    expect(text).toMatch(/✗ failed\s+above blind\s+0\.1/);
  });

  it('stand charts of one stage together', () => {
    const chart = (stage: string, yLabel: string) => ({ stage, yLabel, series: [] });
    const curves = [chart('vision', 'loss'), chart('align', 'loss'), chart('vision', 'accuracy')];
    const stages = [...reportHtml({ ...minimal, curves }).matchAll(/<h3>([^<]*)<\/h3>/g)].map(([, stage]) => stage);
    expect(stages).toEqual(['vision', 'vision', 'align']);
  });
});
