import { Worker } from 'node:worker_threads';
import { interruption } from '#src/cli';
import { ConfigError, printable, RunError } from '#src/errors';
import type { Note } from '../reading/index.js';
import { onlySelect } from './onlySelect.js';
import type { QueryData, QueryReply } from './queryData.js';
import { createStatements, TABLES } from './schema.js';
import { tableRows } from './tableRows.js';

export interface QueryOptions {
  /** More rows are left out. */
  readonly maxRows: number;
  /** Seconds that the query itself may take. */
  readonly timeLimit: number;
}

export type QueryRows = Exclude<QueryReply, { error: string }>;

/**
 * Runs a SELECT over all runs below folders. The tables are built in memory from the files of the runs, only those that the query
 * names; nothing is written anywhere.
 *
 * @throws ConfigError for what is no SELECT, and for what SQLite refuses; RunError when it takes too long
 */
export async function queryRuns(
  sql: string,
  folders: readonly string[],
  options: QueryOptions,
  note: Note,
): Promise<QueryRows> {
  const select = onlySelect(sql);
  const tables = TABLES.filter(({ name }) => new RegExp(`\\b${name}\\b`, 'i').test(sql));
  const names = tables.map(({ name }) => name);
  const data: QueryData = {
    create: createStatements(TABLES),
    tables: tableRows(names, folders, note),
    // A subquery has no two columns of one name, and keeps its order.
    sql: `SELECT * FROM (\n${select}\n)`,
    maxRows: options.maxRows,
  };
  const reply = await replyOf(data, options.timeLimit);
  if ('error' in reply)
    throw new ConfigError(`runs sql: ${printable(reply.error)}; runs sql --schema shows the tables`);
  return reply;
}

async function replyOf(workerData: QueryData, timeLimit: number): Promise<QueryReply> {
  // Tests run the sources; a thread needs JavaScript, as the build has it, and none of the tests' options of Node.
  const isSource = import.meta.url.endsWith('.ts');
  const script = isSource ? '../../dist/comparison/sql/queryThread.js' : './queryThread.js';
  const thread = new Worker(new URL(script, import.meta.url), { workerData, execArgv: [] });
  let stop = (): void => {};
  try {
    return await new Promise<QueryReply>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new RunError(`runs sql: not done after ${timeLimit} s; give --time-limit, or ask for less`)),
        1000 * timeLimit,
      );
      const stopListening = interruption.listen(() => {
        try {
          interruption.check();
        } catch (error) {
          reject(error);
        }
      });
      stop = () => {
        clearTimeout(timer);
        stopListening();
      };
      thread.once('message', resolve);
      thread.once('error', reject);
    });
  } finally {
    stop();
    await thread.terminate();
  }
}
