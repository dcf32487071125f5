import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { html, htmlPage, htmlTable } from '#src/tracking';

describe('html', () => {
  it('escapes what is put in, and not what another template made', () => {
    const inner = html`<b>${'a < b & "c"'}</b>`;
    expect(html`<p>${inner} ${"'"}</p>`.markup).toBe('<p><b>a &lt; b &amp; &quot;c&quot;</b> &#39;</p>');
  });

  it('joins lists and leaves out what is absent', () => {
    expect(html`[${[1, html`<i>`, ['<']]}${undefined}${null}${false}]`.markup).toBe('[1<i>&lt;]');
  });

  it('lets no text open a tag or leave a quoted attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        const { markup } = html`<p title="${text}">${text}</p>`;
        const [, title, content] = /^<p title="([^"<>]*)">([^"<>]*)<\/p>$/u.exec(markup) ?? [];
        expect(title).toBe(content);
        expect(title).not.toMatch(/&(?!(amp|lt|gt|quot|#39);)/);
      }),
    );
  });

  it('keeps the text that it escapes', () => {
    const decoded: Readonly<Record<string, string>> = {
      '&amp;': '&',
      '&lt;': '<',
      '&gt;': '>',
      '&quot;': '"',
      '&#39;': "'",
    };
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(html`${text}`.markup.replace(/&[^;]+;/g, (entity) => decoded[entity])).toBe(text);
      }),
    );
  });
});

it('a name cannot turn the direction of the page around it', () => {
  const name = 'cat\u202Egnp.jpg \u2066x\u2069 שלום';
  expect(html`<p title="${name}">${name}</p>`.markup).toBe(
    '<p title="cat\uFFFDgnp.jpg \uFFFDx\uFFFD שלום">cat\uFFFDgnp.jpg \uFFFDx\uFFFD שלום</p>',
  );
});

describe('htmlTable', () => {
  it('heads every row, sets numbers right and keeps bars within the cell', () => {
    const columns = [{ label: 'name' }, { label: 'share', note: 'of 1', numeric: true }];
    const rows = [{ cells: [{ content: '<x>' }, { content: '1.200', bar: 1.2 }], emphasised: true }];
    const { markup } = htmlTable(columns, rows);
    expect(markup).toContain('<th scope="col" class="number">share<small>of 1</small></th>');
    expect(markup).toContain('<tr class="emphasised"><th scope="row">&lt;x&gt;</th>');
    expect(markup).toContain('<td class="number">1.200<i class="bar" style="--bar:100.0%"></i></td>');
  });
});

describe('htmlPage', () => {
  const page = htmlPage({
    title: '<script>alert(1)</script>',
    sections: [
      { id: 'one', title: 'One', body: html`<p>1</p>` },
      { id: 'two', title: 'Two', body: html`<p>2</p>` },
    ],
  });

  it('forbids every request and allows its own styles and images', () => {
    expect(page).toContain('http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:;');
  });

  it('holds no script, and links to its sections', () => {
    expect(page).not.toMatch(/<script/i);
    expect(page).toContain('<a href="#two">Two</a>');
    expect(page).toContain('<section id="two">');
  });
});
