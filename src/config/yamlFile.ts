import { type Document, isMap, isScalar, LineCounter, type ParsedNode, parseDocument, visit } from 'yaml';
import { ConfigError, shownText, UserError } from '#src/errors';
import { readText } from '#src/storage';

/** More than any experiment needs; the parser takes seconds for a megabyte. */
const MOST_BYTES = 256 * 1024;

/** A YAML file of one document, as plain values. */
export interface YamlFile {
  readonly value: unknown;
  /** The line of a key that the file itself has, from 1. */
  lineOf(keys: readonly PropertyKey[]): number | undefined;
}

/** @throws ConfigError of one line when the file cannot be read or is no YAML of plain values */
export function readYaml(path: string): YamlFile {
  const lineCounter = new LineCounter();
  // A `%YAML 1.1` line changes nothing: numbers, dates and `yes` are read alike in all files.
  const document = parsed(path, lineCounter);
  const lineAt = (offset: number): number => lineCounter.linePos(offset).line;
  const refuse = (offset: number, why: string): never => {
    throw new ConfigError(`${path}:${lineAt(offset)}: ${why}`);
  };
  const { errors, warnings } = document;
  const isTooDeep = errors.some(({ code }) => code === 'RESOURCE_EXHAUSTION');
  if (isTooDeep) throw tooDeep(path);
  // Later errors mostly follow from the first.
  if (errors.length > 0) refuse(errors[0].pos[0], yamlFault(errors[0].code, errors[0].message));
  if (warnings.length > 0) refuse(warnings[0].pos[0], yamlFault(warnings[0].code, warnings[0].message));
  const foreign = foreignPart(document);
  if (foreign !== undefined) refuse(foreign.offset, foreign.why);
  if (document.contents === null) throw new ConfigError(`${path}: the file is empty`);
  return {
    value: plainValue(document, path),
    lineOf: (keys) => {
      const offset = offsetOfKey(document, keys);
      return offset === undefined ? undefined : lineAt(offset);
    },
  };
}

function parsed(path: string, lineCounter: LineCounter): Document.Parsed {
  const text = readConfiguration(path);
  try {
    return parseDocument(text, {
      lineCounter,
      schema: 'core',
      prettyErrors: false,
      // The parser compares each key with all others; `foreignPart` needs one look at each.
      uniqueKeys: false,
    });
  } catch (error) {
    // Most depths are an error of the document; the parser itself ends at some.
    throw error instanceof RangeError ? tooDeep(path) : error;
  }
}

function tooDeep(path: string): ConfigError {
  return new ConfigError(`${path}: its lists and groups of keys are nested too deeply`);
}

function readConfiguration(path: string): string {
  try {
    return readText(path, 'configuration', MOST_BYTES);
  } catch (error) {
    throw error instanceof UserError ? new ConfigError(error.message) : error;
  }
}

function yamlFault(code: string, message: string): string {
  switch (code) {
    case 'MULTIPLE_DOCS':
      return "expected one YAML document, got a second one after '---'";
    case 'TAB_AS_INDENT':
      return 'expected spaces as indentation, got a tab';
    case 'TAG_RESOLVE_FAILED':
      return `expected a plain value, got a YAML tag (${shownText(message)})`;
    default:
      return `not valid YAML: ${shownText(message.split('\n')[0], 120)}`;
  }
}

/** The first thing that YAML allows and plain keys and values do not: a key twice, or one that is not text. */
function foreignPart(document: Document.Parsed): { offset: number; why: string } | undefined {
  let found: { offset: number; why: string } | undefined;
  visit(document, {
    Map: (_, map) => {
      const lines = new Set<string>();
      for (const { key } of map.items) {
        const offset = (key as ParsedNode | null)?.range?.[0] ?? 0;
        if (!isScalar(key)) found = { offset, why: 'expected text as a key, got a list, a group of keys or an alias' };
        else if (lines.has(String(key.value)))
          found = { offset, why: `'${shownText(String(key.value))}' is given a second time here` };
        else lines.add(String(key.value));
        if (found !== undefined) return visit.BREAK;
      }
      return undefined;
    },
  });
  return found;
}

/** Aliases without an anchor, or too many of them, show only here. */
function plainValue(document: Document.Parsed, path: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    const { message } = error as Error;
    const alias = /^Unresolved alias .*: (.*)/.exec(message)?.[1];
    throw new ConfigError(
      `${path}: ${alias === undefined ? 'too many aliases, or one of what it is in' : `expected an anchor '&${shownText(alias)}' before '*${shownText(alias)}'`}`,
    );
  }
}

function offsetOfKey(document: Document.Parsed, keys: readonly PropertyKey[]): number | undefined {
  const parent = keys.length === 1 ? document.contents : document.getIn(keys.slice(0, -1), true);
  const pair = isMap(parent)
    ? parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(keys[keys.length - 1]))
    : undefined;
  return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
}
