import { ConfigError, didYouMean, namesInLine, shownText } from '#src/errors';

/** Paths of the groups among names of parameters: `block0/attention/query/language`. */
export function groupPaths(names: Iterable<string>): string[] {
  return [...names].flatMap((name) => /^(.+)\/keyParamTokens$/.exec(name)?.[1] ?? []);
}

/**
 * The groups that patterns choose: names of groups (`language`, `*Bridge`), or paths where a pattern has a slash
 * (`block0/ffn/*`); `*` stands for any characters. Several are separated by commas.
 *
 * @param option for messages
 * @throws ConfigError for a pattern that fits none
 */
export function chooseGroups(paths: readonly string[], patterns: string, option: string): string[] {
  const chosen = new Set<string>();
  for (const pattern of patterns.split(',').map((each) => each.trim())) {
    const expression = new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`);
    const fits = paths.filter((path) => expression.test(pattern.includes('/') ? path : nameOf(path)));
    if (fits.length === 0) {
      const names = [...new Set(paths.map(nameOf))];
      throw new ConfigError(
        `${option}: expected names or paths of groups (${namesInLine(names) || 'this model has none'}), got '${shownText(pattern)}'${didYouMean(pattern, names)}`,
      );
    }
    for (const path of fits) chosen.add(path);
  }
  return paths.filter((path) => chosen.has(path));
}

/** `block0/ffn/language` → `language` */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
