/** The words of a command as a POSIX shell takes it apart; no variables, no escapes. */
export function splitWords(command: string): string[] {
  return (command.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? []).map((word) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? ''),
  );
}
