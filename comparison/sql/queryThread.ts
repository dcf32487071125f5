/** @file Runs one query in a thread, which can be ended when it takes too long. Imports nothing but SQLite: it starts with each query. */
import { parentPort, workerData } from 'node:worker_threads';
import sqlite from 'node-sqlite3-wasm';
import type { QueryData, QueryReply, SqlValue, TableRows } from './queryData.js';

/** What SQLite may hold, tables and sorting included. */
const MAX_BYTES = 2 ** 29;
/** Values that one INSERT binds. */
const VALUES_A_STATEMENT = 4000;

parentPort?.postMessage(reply(workerData as QueryData));

function reply({ create, tables, sql, maxRows }: QueryData): QueryReply {
  const database = new sqlite.Database(':memory:');
  try {
    database.exec(`PRAGMA temp_store = MEMORY; PRAGMA hard_heap_limit = ${MAX_BYTES}; ${create}`);
    database.exec('BEGIN');
    for (const table of tables) insert(database, table);
    database.exec('COMMIT; PRAGMA query_only = ON');
    return rowsOf(database, sql, maxRows);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  } finally {
    database.close();
  }
}

function insert(database: InstanceType<typeof sqlite.Database>, { name, numColumns, values }: TableRows): void {
  const rowsAtOnce = Math.floor(VALUES_A_STATEMENT / numColumns);
  const statementOf = (rows: number) => {
    const row = `(${Array.from({ length: numColumns }, () => '?').join(',')})`;
    return database.prepare(`INSERT INTO "${name}" VALUES ${Array.from({ length: rows }, () => row).join(',')}`);
  };
  const whole = statementOf(rowsAtOnce);
  const width = rowsAtOnce * numColumns;
  let first = 0;
  for (; first + width <= values.length; first += width) whole.run(values.slice(first, first + width));
  whole.finalize();
  if (first === values.length) return;
  const rest = statementOf((values.length - first) / numColumns);
  rest.run(values.slice(first));
  rest.finalize();
}

function rowsOf(database: InstanceType<typeof sqlite.Database>, sql: string, maxRows: number): QueryReply {
  const statement = database.prepare(sql);
  const rows: SqlValue[][] = [];
  let columns: string[] = [];
  let more = false;
  try {
    for (const row of statement.iterate()) {
      if (rows.length === maxRows) {
        more = true;
        break;
      }
      if (rows.length === 0) columns = Object.keys(row);
      rows.push(Object.values(row).map(plainValue));
    }
  } finally {
    statement.finalize();
  }
  return { columns, rows, more };
}

/** Bytes as hexadecimal digits, which lines and JSON can hold. */
function plainValue(value: unknown): SqlValue {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value as SqlValue;
}
