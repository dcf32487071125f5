import { realpathSync, statSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { ConfigError } from '#src/errors';

/** Keys whose folders are searched for images, captions or shards: a run inside would be taken for data. */
const SEARCHED: ReadonlySet<string> = new Set(['path', 'captions']);

/** Keys that name what an experiment reads. */
const INPUTS: ReadonlySet<string> = new Set([
  ...SEARCHED,
  ...['annotations', 'files', 'images', 'scenes', 'splitFile', 'validationFiles'],
  ...['groups', 'language', 'model', 'vision'],
]);

/**
 * Refuses a result folder inside a folder that the experiment reads its data from, and one that is or holds what it reads:
 * overwriting would move that aside.
 *
 * @param root where the experiment's paths start
 */
export function refuseInsideData(outDir: string, experiment: object, root: string): void {
  const out = realPath(outDir);
  for (const { at, key, input } of inputsOf(experiment, root)) {
    if (isWithin(input, out)) {
      throw new ConfigError(
        `${outDir}: ${input === out ? 'is' : 'holds'} what the experiment reads as '${at}'; choose another --out`,
      );
    }
    if (SEARCHED.has(key) && statSync(input).isDirectory() && isWithin(out, input)) {
      throw new ConfigError(
        `${outDir}: lies inside ${input}, the data of '${at}', and would be taken for a part of them; choose another --out`,
      );
    }
  }
}

/** Whether a path is the folder or lies below it. */
function isWithin(path: string, folder: string): boolean {
  return `${path}${sep}`.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

interface Input {
  /** `data.train.path` */
  readonly at: string;
  /** Its last part that is a name. */
  readonly key: string;
  /** Links followed. */
  readonly input: string;
}

/** Everything that is there of what an experiment reads. @param key of `value`; entries of a list have that of the list */
function inputsOf(value: unknown, root: string, at = '', key = ''): Input[] {
  if (typeof value === 'string') {
    const path = resolve(root, value);
    const isThere = INPUTS.has(key) && statSync(path, { throwIfNoEntry: false }) !== undefined;
    return isThere ? [{ at, key, input: realpathSync(path) }] : [];
  }
  if (Array.isArray(value)) return value.flatMap((entry, i) => inputsOf(entry, root, `${at}[${i}]`, key));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, entry]) =>
    inputsOf(entry, root, at === '' ? name : `${at}.${name}`, name),
  );
}

/** Links followed as far as the path is there. */
function realPath(path: string): string {
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
  const parent = resolve(path, '..');
  if (isThere) return realpathSync(path);
  return parent === path ? path : resolve(realPath(parent), path.slice(parent.length).replace(/^[/\\]+/, ''));
}
