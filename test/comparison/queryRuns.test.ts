import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { queryRuns, schemaText } from '#comparison';
import { folderContent } from '../support/folderContent.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { tokenfuse } from '../support/tokenfuse.js';
import { writeEvaluationOf, writeRun } from '../support/writtenRun.js';

const LIMITS = { maxRows: 100, timeLimit: 20 };
const none = (line: string): never => {
  throw new Error(`no line expected, got: ${line}`);
};

function prepared(): string {
  const folder = temporaryFolder();
  writeRun(join(folder, 'one'), { seed: 1 });
  writeRun(join(folder, 'two'), { seed: 2, training: { learningRate: 0.5, nested: true } });
  writeEvaluationOf(join(folder, 'scores'), ['a dog'], ['a dog']);
  return folder;
}

const rowsOf = async (sql: string, folder: string) => (await queryRuns(sql, [folder], LIMITS, none)).rows;

describe('runs as tables', () => {
  it('have what the files of the runs have', async () => {
    const folder = prepared();
    expect(await rowsOf('SELECT kind, state, step, best, seed FROM runs ORDER BY run', folder)).toEqual([
      ['language', 'finished', 20, 1.1, 1],
      ['evaluate', 'finished', null, null, 1],
      ['language', 'finished', 20, 1.2, 2],
    ]);
    expect(
      await rowsOf(`SELECT step, value FROM metrics WHERE run LIKE '%one' AND tag = 'train/loss'`, folder),
    ).toEqual([
      [1, 4],
      [10, 2],
      [20, 1.5],
    ]);
    expect(await rowsOf(`SELECT avg(value) FROM timing WHERE tag = 'stepSeconds'`, folder)).toEqual([[0.5]]);
    expect(await rowsOf("SELECT test_set, row, value, low, high FROM scores WHERE score = 'ciderD'", folder)).toEqual([
      ['seen', 'model', 3, 2, 4],
    ]);
    const joined = `
      SELECT c.value, m.value FROM metrics m JOIN config c USING (run) -- of each run
      WHERE c.key = 'training.learningRate' AND m.tag = 'validation/loss' AND m.step = 20 ORDER BY 1;`;
    expect(await rowsOf(joined, folder)).toEqual([
      [0.01, 1.1],
      [0.5, 1.2],
    ]);
    expect(await rowsOf(`SELECT value FROM config WHERE key = 'training.nested'`, folder)).toEqual([[1]]);
  });

  it('keep values that are not finite: infinity, and NaN as NULL', async () => {
    const folder = temporaryFolder();
    writeRun(join(folder, 'one'), { lines: [{ step: 1, a: 'NaN', b: 'Infinity', c: 1e-300 }] });
    expect(await rowsOf('SELECT tag, value FROM metrics ORDER BY tag', folder)).toEqual([
      ['a', null],
      ['b', Number.POSITIVE_INFINITY],
      ['c', 1e-300],
    ]);
  });

  it('hold more rows than one statement inserts', async () => {
    const folder = temporaryFolder();
    const lines = Array.from({ length: 5003 }, (_, step) => ({ step, loss: step }));
    writeRun(join(folder, 'one'), { lines });
    expect(await rowsOf('SELECT count(*), sum(value), max(step) FROM metrics', folder)).toEqual([
      [5003, 12512503, 5002],
    ]);
  });

  it('are described by --schema in 80 columns, every column with its type', async () => {
    const { stdout } = await tokenfuse(['runs', 'sql', '--schema'], temporaryFolder());
    expect(stdout.trimEnd()).toBe(schemaText());
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    for (const table of ['runs', 'metrics', 'timing', 'config', 'scores']) {
      const shown = new RegExp(`^${table}: .*\\n((?: {2}.*\\n)+)`, 'm').exec(stdout)?.[1] ?? '';
      const names = shown.split('\n').flatMap((line) => /^ {2}(\w+)/.exec(line)?.[1] ?? []);
      const found = await rowsOf(`SELECT name FROM pragma_table_info('${table}')`, prepared());
      expect(found.flat()).toEqual(names);
    }
  });
});

describe('a query', () => {
  it.each([
    'DELETE FROM runs',
    'DROP TABLE metrics',
    "INSERT INTO runs (run) VALUES ('x')",
    'UPDATE runs SET run = 1',
    'WITH x AS (SELECT 1) DELETE FROM runs',
    'WITH x AS (SELECT 1) INSERT INTO runs (run) SELECT 1 FROM x',
    "ATTACH 'there.db' AS there",
    "VACUUM INTO 'there.db'",
    'PRAGMA query_only = OFF',
    'CREATE TABLE there (x)',
    'BEGIN',
    '/* SELECT */ DELETE FROM runs',
    '-- SELECT\nDELETE FROM runs',
    "SELECT 1; ATTACH 'there.db' AS there",
    "SELECT ';'; DELETE FROM runs",
    "SELECT load_extension('there')",
    "SELECT writefile('there', 'x')",
    "SELECT readfile('/etc/passwd')",
    'SELECT * FROM pragma_query_only(0)',
    "SELECT * FROM fsdir('/')",
    '',
  ])('is refused in one line where it does more than read: %s', async (sql) => {
    const folder = prepared();
    const before = folderContent(folder);
    expect(await rejectedLine(queryRuns(sql, [folder], LIMITS, none))).toMatch(/^runs sql: /);
    expect(folderContent(folder)).toEqual(before);
    expect(existsSync('there.db')).toBe(false);
  });

  it('may hold what looks like more in strings, names and comments', async () => {
    expect(await rowsOf(`SELECT ';DELETE' AS "a;b" /* ; DROP */ -- ; x`, temporaryFolder())).toEqual([[';DELETE']]);
    expect(await rowsOf('VALUES (1), (2)', temporaryFolder())).toEqual([[1], [2]]);
  });

  it('gives at most so many rows, and says that there are more', async () => {
    const sql = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n';
    const { rows, more } = await queryRuns(sql, [temporaryFolder()], { maxRows: 3, timeLimit: 20 }, none);
    expect(rows).toEqual([[1], [2], [3]]);
    expect(more).toBe(true);
  });

  it('ends when its time is over', async () => {
    const sql = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';
    const started = performance.now();
    const query = queryRuns(sql, [temporaryFolder()], { maxRows: 3, timeLimit: 1 }, none);
    expect(await rejectedLine(query)).toContain('not done after 1 s');
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('leaves broken lines out, with a line', async () => {
    const folder = temporaryFolder();
    writeRun(join(folder, 'one'), {
      lines: [{ step: 1, loss: 1 }, { stp: 2 }, { step: 3, loss: 'x' }, { step: 4, loss: 2 }],
    });
    const lines: string[] = [];
    const { rows } = await queryRuns('SELECT step FROM metrics', [folder], LIMITS, (line) => lines.push(line));
    expect(rows).toEqual([[1], [4]]);
    expect(lines).toEqual([expect.stringMatching(/metrics\.jsonl:2: expected .* with 1 more lines$/)]);
  });
});
