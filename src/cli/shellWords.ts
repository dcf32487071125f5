/** A command line that a POSIX shell reads as these words. */
export function shellWords(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

/** A word of a command line, quoted where a shell would take it apart. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
