import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serveWatch } from '#comparison';
// What follows a file has no door of its own: the room shows it by the server alone.
import { followLines } from '../../comparison/watch/followedLines.js';
import { folderContent } from '../support/folderContent.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { refusal } from '../support/tokenfuse.js';
import { writeRun } from '../support/writtenRun.js';

const line = (step: number, loss = 1): string => `${JSON.stringify({ step, 'train/loss': loss })}\n`;

describe('a file of lines that is followed', () => {
  it('gives what is in it after any appends, cuts and replacements', () => {
    const change = fc.oneof(
      fc.record({ kind: fc.constant('append'), count: fc.nat(5) }),
      fc.record({ kind: fc.constant('half'), count: fc.nat(20) }),
      fc.record({ kind: fc.constant('replace'), count: fc.nat(12) }),
      fc.record({ kind: fc.constant('remove'), count: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const folder = temporaryFolder();
        const path = join(folder, 'metrics.jsonl');
        const followed = followLines(path);
        let text = '';
        let loss = 0;
        for (const { kind, count } of changes) {
          const lines = text.split('\n').slice(0, -1);
          const fresh = (from: number): string =>
            Array.from({ length: count }, (_, i) => line(from + i, ++loss)).join('');
          if (kind === 'append') appendFileSync(path, fresh(lines.length));
          if (kind === 'half') appendFileSync(path, line(lines.length).slice(0, count));
          // A resumed run: some lines stay, the others are written again, as long as before or longer.
          if (kind === 'replace') {
            const kept = lines
              .slice(0, count)
              .map((each) => `${each}\n`)
              .join('');
            writeFileSync(`${path}.new`, kept + fresh(count));
            renameSync(`${path}.new`, path);
          }
          if (kind === 'remove') rmSync(path, { force: true });
          text = kind === 'remove' ? '' : textOf(path);
          followed.poll();
          const whole = text.split('\n').slice(0, -1);
          const expected = whole.flatMap((each) => lossOf(each) ?? []);
          expect(followed.entries().map(({ values }) => values['train/loss'])).toEqual(expected);
          expect(followed.poll()).toBe(false);
        }
        rmSync(folder, { recursive: true });
      }),
      { numRuns: 150 },
    );
  });
});

describe('the page that follows runs', () => {
  it('is sent what changes, also when the run goes back to an earlier step', async () => {
    const folder = temporaryFolder();
    const run = writeRun(join(folder, 'one'), { step: null, lines: [{ step: 1, 'train/loss': 4 }] });
    const server = await serve(folder);
    const events = await listen(server.url);
    expect(await events.next()).toContain('<title>tiny at step 1: 4</title>');
    appendFileSync(join(run, 'metrics.jsonl'), line(2, 3) + line(3, 2));
    expect(await events.next()).toContain('<title>tiny at step 3: 2</title>');
    writeFileSync(join(run, 'rewound'), line(1, 4) + line(2, 2.5));
    renameSync(join(run, 'rewound'), join(run, 'metrics.jsonl'));
    const rewound = await events.next();
    expect(rewound).toContain('<title>tiny at step 2: 2.500</title>');
    expect(rewound).not.toContain('at step 3');
    mkdirSync(join(folder, 'later'));
    writeRun(join(folder, 'later/two'), { name: '<b>two' });
    const both = await events.next((text) => text.includes('two'));
    expect(both).toContain('&lt;b&gt;two');
    expect(both).not.toContain('<b>two');
  });

  it('changes nothing in the runs', async () => {
    const folder = temporaryFolder();
    writeRun(join(folder, 'one'));
    const before = folderContent(folder);
    const events = await listen((await serve(folder)).url);
    await events.next();
    expect(folderContent(folder)).toEqual(before);
  });

  it('answers this machine by its own names alone, and only what it has', async () => {
    const { url } = await serve(temporaryFolder());
    expect(await status(url)).toBe(200);
    expect(await status(url, { host: 'example.org' })).toBe(403);
    expect(await status(`${url}../../etc/passwd`)).toBe(404);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    expect(await (await fetch(url)).text()).toContain('connect-src &#39;self&#39;');
  });

  it('is refused for what is no folder, and at a port that is taken', async () => {
    const folder = temporaryFolder();
    const { url } = await serve(folder);
    expect(await refusal(['runs', 'watch', 'nothing'], folder, 2)).toContain('nothing: expected a run');
    expect(await refusal(['runs', 'watch', '.', '--port', new URL(url).port], folder, 1)).toContain(
      'another program listens there',
    );
  });
});

async function serve(folder: string) {
  const server = await serveWatch(folder, { port: 0, pollMs: 20 });
  onTestFinished(() => server.close());
  return server;
}

/** Updates of a page as they come: those after the last one that was asked for. */
async function listen(url: string) {
  const response = await fetch(`${url}events`);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  const next = async (wanted: (update: string) => boolean = () => true): Promise<string> => {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end < 0) {
        const { value } = await reader.read();
        text += decoder.decode(value, { stream: true });
        continue;
      }
      const update = JSON.parse(text.slice('data: '.length, end)) as { status: string; curves: string };
      text = text.slice(end + 2);
      const shown = update.status + update.curves;
      if (wanted(shown)) return shown;
    }
  };
  return { next };
}

function status(url: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

function lossOf(text: string): number | undefined {
  try {
    return JSON.parse(text)['train/loss'];
  } catch {
    return undefined;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
