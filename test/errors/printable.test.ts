import { expect, it } from 'vitest';
import { printable, printableLines } from '#src/errors';

it('printable shows what a terminal would obey or hide', () => {
  expect(printable('a\u001b[31mred\u0007\r\n\tb\u009b')).toBe('a\\u001b[31mred\\u0007\\r\\n\\tb\\u009b');
  expect(printable('cat\u202Egnp.jpg \u2066x\u2069 \uFEFF \u2028')).toBe(
    'cat\\u202egnp.jpg \\u2066x\\u2069 \\ufeff \\u2028',
  );
  expect(printable('half \uD83D')).toBe('half \\ud83d');
});

it('printable keeps text of any script, and emoji with their joiners', () => {
  for (const text of ['ein großer Hund', 'שלום עולם', 'نیم‌فاصله', '👩‍👩‍👧 🏳️‍🌈', 'naïve — “quoted”'])
    expect(printable(text)).toBe(text);
});

it('printableLines keeps line feeds and tabs', () => {
  expect(printableLines('a\tb\nc\u001b')).toBe('a\tb\nc\\u001b');
});
