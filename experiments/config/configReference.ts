import { stringify } from 'yaml';
import { wrapText } from '#src/cli';
import { type ConfigKey, configKeys } from '#src/config';
import { Experiment, type ExperimentKind } from './parseExperiment.js';

/** What each kind of experiment file is for. */
const PURPOSES: Readonly<Record<ExperimentKind, string>> = {
  scenes: 'draws synthetic scenes with captions and labels (tokenfuse scenes)',
  tokenizer: 'trains a byte-level BPE tokenizer on text (tokenfuse tokenizer train)',
  vision: 'pretrains a vision backbone (tokenfuse train)',
  language: 'pretrains a language backbone (tokenfuse train)',
  tune: 'trains a group of parameter tokens for a task beside a frozen backbone (tokenfuse tune)',
  merge: 'merges a vision and a language backbone into one model (tokenfuse merge)',
  align: 'trains the bridges of a merged model on captioned images (tokenfuse align)',
  evaluate: 'captions test sets and scores the captions together with controls (tokenfuse evaluate)',
  pipeline: 'runs all stages, from data to report (tokenfuse run)',
  study: 'compares ways of joining two backbones over several seeds (tokenfuse study)',
  sweep: 'runs chains of stages over several seeds, as rows, a grid or a random search (tokenfuse study)',
};

/** Every key of one kind of experiment file. */
export interface KindReference {
  readonly kind: ExperimentKind;
  readonly purpose: string;
  readonly keys: readonly ConfigKey[];
}

/** All kinds of experiment files with their keys, as the schemas describe them. */
export function configReference(): KindReference[] {
  return Experiment.options.map((schema) => {
    const [kind] = schema.shape.kind.values;
    return { kind, purpose: PURPOSES[kind], keys: configKeys(schema) };
  });
}

const COLUMNS = 80;
const NAME_WIDTH = 26;

/** The keys of a kind for a terminal of 80 columns: names on the left, one level of indentation a group. */
export function referenceText({ kind, purpose, keys }: KindReference): string {
  return [...wrapText(`kind: ${kind}, ${purpose}`, COLUMNS), '', ...keys.flatMap((key) => keyText(key, ''))].join('\n');
}

function keyText(key: ConfigKey, indent: string): string[] {
  const inner = `${indent}  `;
  return [
    ...twoColumns(`${indent}${key.name}`, [typeAndPresence(key), key.meaning]),
    ...(key.isByName && key.keys.length > 0 ? [`${inner}<name>`] : []),
    ...key.keys.flatMap((below) => keyText(below, key.isByName ? `${inner}  ` : inner)),
    ...key.variants.flatMap((variant) => [
      ...twoColumns(`${inner}${variant.key}: ${variant.value}`, [variant.meaning]),
      ...variant.keys.flatMap((below) => keyText(below, `${inner}  `)),
    ]),
  ];
}

function twoColumns(left: string, right: readonly string[]): string[] {
  const lines = right.flatMap((text) => wrapText(text, COLUMNS - NAME_WIDTH));
  const isLong = left.length >= NAME_WIDTH;
  const rest = lines.map(
    (line, i) => `${i === 0 && !isLong ? left.padEnd(NAME_WIDTH) : ' '.repeat(NAME_WIDTH)}${line}`,
  );
  return isLong ? [left, ...rest] : rest;
}

/** The page of all kinds, in Markdown. */
export function referencePage(kinds: readonly KindReference[]): string {
  return [
    '# Keys of experiment files',
    '',
    'Made from the schemas: `tokenfuse config <kind>` prints the same. Every file has a key `kind`, which says what it is for.',
    "`--set a.b=value` overrides a key of a command's file; `a[].b` is `b` of each entry of a list, with `--set` `a.0.b` of the",
    'first. Paths in a file start at `--root` unless their key says otherwise.',
    '',
    ...kinds.map(({ kind }) => `- [${kind}](#${kind})`),
    ...kinds.flatMap(({ kind, purpose, keys }) => [
      '',
      `## ${kind}`,
      '',
      `\`kind: ${kind}\` ${purpose.replace(/\((.*?)(tokenfuse.*)\)/, '($1`$2`)')}.`,
      '',
      '| key | value | meaning |',
      '|---|---|---|',
      ...keys.flatMap((key) => keyRows(key, '')),
    ]),
    '',
  ].join('\n');
}

function keyRows(key: ConfigKey, before: string): string[] {
  const path = `${before}${key.name}`;
  const inner = `${path}${key.isList ? '[]' : key.isByName ? '.<name>' : ''}.`;
  return [
    `| \`${path}\` | ${cell(typeAndPresence(key))} | ${cell(key.meaning)} |`,
    ...key.keys.flatMap((below) => keyRows(below, inner)),
    ...key.variants.flatMap((variant) => [
      `| with \`${inner}${variant.key}: ${variant.value}\` | | ${cell(variant.meaning)} |`,
      ...variant.keys.flatMap((below) => keyRows(below, inner)),
    ]),
  ];
}

/** Text that stands in a table as it is. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

/** `integer from 1, default 10`; of a key whose group is listed elsewhere `group as data.train, optional`. */
function typeAndPresence({ type, sameAs, isRequired, default: standard }: ConfigKey): string {
  const value =
    standard === undefined
      ? ''
      : stringify(standard, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 });
  const presence = isRequired ? 'required' : value === '' ? 'optional' : `default ${value.trim()}`;
  return `${type}${sameAs === undefined ? '' : ` as ${sameAs}`}, ${presence}`;
}
