/** @file What the thread that runs a query is given and answers. */

/** A value of SQLite that a row can hold here. */
export type SqlValue = string | number | bigint | null;

/** A table with its rows, one after the other. */
export interface TableRows {
  readonly name: string;
  readonly numColumns: number;
  readonly values: readonly SqlValue[];
}

export interface QueryData {
  readonly create: string;
  readonly tables: readonly TableRows[];
  readonly sql: string;
  /** One more row is asked for, to know whether there are more. */
  readonly maxRows: number;
}

/** Rows by column; `more`: there were others. Or what SQLite says is wrong. */
export type QueryReply =
  | { readonly columns: readonly string[]; readonly rows: readonly (readonly SqlValue[])[]; readonly more: boolean }
  | { readonly error: string };
