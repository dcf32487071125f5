/** An event file that is not one, or is damaged before its last record: one line that names the file. */
export class EventFileError extends Error {
  override readonly name = 'EventFileError';
  constructor(
    readonly path: string,
    problem: string,
  ) {
    super(`${path}: ${problem}`);
  }
}
