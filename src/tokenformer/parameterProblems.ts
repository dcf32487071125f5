import { shownText } from '#src/errors';
import type { HostTensor, SafetensorsHeader } from '#src/storage';

/** Names and shapes of the parameters that a configuration implies. */
export type ParameterShapes = ReadonlyMap<string, Pick<HostTensor, 'shape'>>;

/** At most so many problems of a file are listed. */
const MAX_LISTED = 10;

/**
 * Everything in which the tensors of a file differ from the parameters that its model has, by the header alone: missing ones, other
 * shapes, other types than float32, and those left over.
 *
 * @param by where the expected shapes come from, for the messages
 * @returns one line per problem, which names the file; at most `MAX_LISTED` and a count of the rest
 */
export function parameterProblems(
  { path, tensors }: SafetensorsHeader,
  expected: ParameterShapes,
  by = 'its model.json',
): string[] {
  const problems: string[] = [];
  for (const [name, { shape }] of expected) {
    const entry = tensors.get(name);
    if (entry === undefined) problems.push(`${path}: has no tensor '${name}'`);
    else if (String(entry.shape) !== String(shape)) {
      problems.push(`${path}: '${name}': expected [${shape}] by ${by}, got [${entry.shape}]`);
    }
  }
  for (const [name, { dtype }] of tensors) {
    if (!expected.has(name))
      problems.push(`${path}: '${shownText(name, 120)}': the model has no parameter of that name`);
    else if (dtype !== 'F32') problems.push(`${path}: '${name}': expected float32 (F32), got ${dtype}`);
  }
  return capped(problems, path);
}

/** Tensors that hold NaN or an infinite number: one line each, which names the file. */
export function valueProblems(path: string, tensors: ReadonlyMap<string, HostTensor>): string[] {
  const problems: string[] = [];
  for (const [name, { values }] of tensors) {
    const at = firstNotFinite(values);
    if (at >= 0)
      problems.push(`${path}: '${shownText(name, 120)}': expected finite numbers, got ${values[at]} at ${at}`);
  }
  return capped(problems, path);
}

function firstNotFinite(values: HostTensor['values']): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

function capped(problems: readonly string[], path: string): string[] {
  if (problems.length <= MAX_LISTED) return [...problems];
  return [...problems.slice(0, MAX_LISTED), `${path}: ${problems.length - MAX_LISTED} problems more`];
}
