import { queryRuns, schemaText } from '#comparison';
import { type Command, renderTable } from '#src/cli';
import { ConfigError, printable } from '#src/errors';
import { wholeNumber } from '../options/index.js';

/** `tokenfuse runs sql`: the metrics of all runs by SQL. */
export const runsSqlCommand: Command = {
  name: 'runs sql',
  summary: 'Query the metrics, configurations and scores of all runs by SQL',
  details:
    'The tables are made in memory from the files of the runs for each query; nothing is written, and only SELECT is taken. ' +
    'SQLite is the one of node-sqlite3-wasm.',
  positionals: [
    { name: 'query', description: 'a SELECT, in quotes', optional: true },
    { name: 'folder', description: 'where the runs are (default runs)', optional: true, rest: true },
  ],
  options: {
    schema: { description: 'show the tables and their columns' },
    'max-rows': { description: 'rows at most (default 1000)', placeholder: 'n' },
    'time-limit': { description: 'seconds that the query may take (default 30)', placeholder: 'n' },
  },
  run: async (args, output) => {
    if (args.flag('schema')) {
      output.line(schemaText());
      return { schema: schemaText() };
    }
    const [query, ...folders] = args.positionals;
    if (query === undefined) throw new ConfigError('runs sql: expected a query, or --schema; got neither');
    const problems: string[] = [];
    const options = {
      maxRows: wholeNumber(args, 'max-rows', 1, 1000),
      timeLimit: wholeNumber(args, 'time-limit', 1, 30),
    };
    const { columns, rows, more } = await queryRuns(query, folders.length > 0 ? folders : ['runs'], options, (line) =>
      problems.push(line),
    );
    const cells = rows.map((row) => row.map((value) => (value === null ? '' : printable(String(value)))));
    if (rows.length === 0) output.line('no rows');
    else output.line(renderTable(columns.map(printable), cells, { maxWidth: Number.POSITIVE_INFINITY }));
    if (more) output.line(`the first ${rows.length} rows; give --max-rows for more`);
    for (const line of problems) output.line(line);
    const plain = rows.map((row) => row.map((value) => (typeof value === 'bigint' ? String(value) : value)));
    return { columns, rows: plain, more, problems };
  },
};
