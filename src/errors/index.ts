/**
 * @file The failures that a user can do something about. Everything else is a bug and keeps its stack trace.
 */
export * from './printable.js';

/** What a user gave is wrong (usage, configuration, data, a checkpoint): one clear line, exit code 2. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  readonly exitCode: number = 2;
}

/** Nothing given is wrong, but the work failed (full disk, folder in use, a loss that is not finite): exit code 1. */
export class RunError extends UserError {
  override readonly name: string = 'RunError';
  override readonly exitCode = 1;
}

/** Wrong usage or configuration, found before any work starts: one clear line per problem, exit code 2. */
export class ConfigError extends UserError {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly string[] | string) {
    super(typeof problems === 'string' ? problems : problems.join('\n'));
  }
}

/** The name in `candidates` nearest to `name` in edit distance, if near enough to be a typing slip. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    // The distance is at least the difference of the lengths.
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean 'x'?)`, or nothing when no candidate is near. */
export function didYouMean(name: string, candidates: readonly string[]): string {
  const nearest = nearestName(name, candidates);
  return nearest === undefined ? '' : ` (did you mean '${nearest}'?)`;
}

/** The names, or the first of them and how many more there are, so that a message stays a line. */
export function namesInLine(names: readonly string[], most = 12): string {
  if (names.length <= most) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

/** Levenshtein distance: single-character insertions, deletions and substitutions. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[j] + 1, current[j - 1] + 1));
    }
    previous = current;
  }
  return previous[b.length];
}
