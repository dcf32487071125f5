/** @file The tables that `runs sql` builds, and their documentation: what `--schema` prints. */

interface Column {
  readonly name: string;
  readonly type: 'TEXT' | 'INTEGER' | 'REAL' | 'ANY';
  readonly meaning: string;
}

export interface Table {
  readonly name: string;
  readonly meaning: string;
  readonly columns: readonly Column[];
}

const run: Column = { name: 'run', type: 'TEXT', meaning: 'path of the run, as in runs' };

export const TABLES = [
  {
    name: 'runs',
    meaning: 'a row for each run, evaluation, pipeline, study and cell',
    columns: [
      { name: 'run', type: 'TEXT', meaning: 'its path, unique' },
      { name: 'name', type: 'TEXT', meaning: 'of the experiment' },
      {
        name: 'kind',
        type: 'TEXT',
        meaning: 'vision, language, align, evaluate, pipeline, cell, …',
      },
      { name: 'state', type: 'TEXT', meaning: 'running, finished, interrupted, failed' },
      { name: 'note', type: 'TEXT', meaning: 'who is at work on it, or why it failed' },
      { name: 'step', type: 'INTEGER', meaning: 'the last one logged' },
      { name: 'steps', type: 'INTEGER', meaning: 'how many there are to be' },
      { name: 'metric', type: 'TEXT', meaning: 'the validation metric that selects checkpoints' },
      { name: 'best', type: 'REAL', meaning: 'its best value' },
      { name: 'best_step', type: 'INTEGER', meaning: 'where that was' },
      { name: 'last', type: 'REAL', meaning: 'its last value' },
      { name: 'last_step', type: 'INTEGER', meaning: 'where that was' },
      { name: 'started', type: 'TEXT', meaning: 'ISO 8601' },
      { name: 'ended', type: 'TEXT', meaning: 'the last write, ISO 8601' },
      { name: 'seconds', type: 'REAL', meaning: 'between the two, pauses included' },
      { name: 'bytes', type: 'INTEGER', meaning: 'of all its files' },
      { name: 'seed', type: 'INTEGER', meaning: 'of the experiment' },
      { name: 'engine', type: 'TEXT', meaning: 'what computed it' },
      { name: 'device', type: 'TEXT', meaning: 'where' },
      { name: 'commit', type: 'TEXT', meaning: 'of the code (a keyword: write "commit")' },
      { name: 'version', type: 'TEXT', meaning: 'of tokenfuse' },
    ],
  },
  {
    name: 'metrics',
    meaning: 'every value of metrics.jsonl; NaN is NULL',
    columns: [
      run,
      { name: 'step', type: 'INTEGER', meaning: 'after so many steps' },
      { name: 'tag', type: 'TEXT', meaning: 'train/loss, validation/loss, …' },
      { name: 'value', type: 'REAL', meaning: 'as logged' },
    ],
  },
  {
    name: 'timing',
    meaning: 'every value of timing.jsonl',
    columns: [
      run,
      { name: 'step', type: 'INTEGER', meaning: 'at this step' },
      { name: 'tag', type: 'TEXT', meaning: 'stepSeconds, tokensPerSecond, …' },
      { name: 'value', type: 'REAL', meaning: 'as logged' },
    ],
  },
  {
    name: 'config',
    meaning: 'every key of config.json',
    columns: [
      run,
      { name: 'key', type: 'TEXT', meaning: 'training.learningRate, …' },
      { name: 'value', type: 'ANY', meaning: 'text or number; true and false are 1 and 0' },
    ],
  },
  {
    name: 'scores',
    meaning: 'every score of evaluation.json',
    columns: [
      run,
      { name: 'test_set', type: 'TEXT', meaning: 'name of the test set' },
      { name: 'row', type: 'TEXT', meaning: 'model, or the name of a control' },
      { name: 'score', type: 'TEXT', meaning: 'captionNll, ciderD, …' },
      { name: 'value', type: 'REAL', meaning: 'of the set' },
      { name: 'low', type: 'REAL', meaning: 'its 95 % interval, where it has one' },
      { name: 'high', type: 'REAL', meaning: 'likewise' },
    ],
  },
] as const satisfies readonly Table[];
export type TableName = (typeof TABLES)[number]['name'];

/** The statements that create some of the tables. */
export function createStatements(tables: readonly Table[]): string {
  const quoted = (name: string): string => `"${name}"`;
  return tables
    .map(({ name, columns }) => {
      const types = columns.map((column) =>
        `${quoted(column.name)} ${column.type === 'ANY' ? '' : column.type}`.trim(),
      );
      return `CREATE TABLE ${quoted(name)} (${types.join(', ')});`;
    })
    .join('\n');
}

/** The tables in words, at most 80 columns. */
export function schemaText(): string {
  return TABLES.map(({ name, meaning, columns }: Table) => {
    const width = Math.max(...columns.map((column) => column.name.length));
    const lines = columns.map(
      (column) => `  ${column.name.padEnd(width)}  ${column.type.padEnd(7)}  ${column.meaning}`,
    );
    return [`${name}: ${meaning}`, ...lines].join('\n');
  }).join('\n\n');
}
