/**
 * @file One page from the JSON lines of ours.ts and peer.py, and the results file that bench/README.md is made from.
 *
 *     node dist/bench/gpu/table.js --logs DIR [--out DIR]
 *
 * Reads every ours-*.log, profile-*.log and peer*.log of the folder. Losses of the first steps must agree within the tolerance of the
 * precision, or the ratio is that of two different models and is not judged.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeCommit } from '../machine.js';

interface Line {
  readonly side: string;
  readonly case?: string;
  readonly setting?: string;
  readonly ms?: number;
  readonly teraflops?: number;
  readonly gigabytesPerS?: number;
  readonly peakBytes?: number;
  readonly weightBytes?: number;
  readonly losses?: readonly number[];
  readonly error?: string;
  readonly compileS?: number;
  readonly kernels?: readonly { readonly name: string; readonly calls: number; readonly milliseconds: number }[];
  readonly hello?: true;
  readonly card?: string;
  readonly torch?: string;
  readonly device?: string;
}

const { values: options } = parseArgs({ options: { logs: { type: 'string' }, out: { type: 'string' } } });
const folder = options.logs;
if (folder === undefined) throw new Error('table: expected --logs with the folder of the logs');

/** Relative differences of a loss that pass: of float32, of tf32, of bf16 against the peer's own bf16. */
const LOSS_TOLERANCES: Readonly<Record<string, number>> = { fp32: 1e-4, tf32: 1e-3, bf16: 1e-2 };

/** What issue and README promise: a peer by its settings, the least ratio of its time to ours. */
interface Target {
  readonly case: string;
  readonly setting: string;
  readonly against: readonly string[];
  readonly ratio: number;
}

const STRONGEST_BF16 = ['bf16-compile', 'bf16-tune'];
const GRAPHS_BF16 = ['bf16-graphs', 'bf16-whole', 'bf16-tunegraphs'];
const TARGETS: readonly Target[] = [
  ...['A', 'B'].flatMap((name): Target[] => [
    { case: name, setting: 'bf16', against: STRONGEST_BF16, ratio: 1.2 },
    { case: name, setting: 'bf16', against: GRAPHS_BF16, ratio: 1.2 },
    { case: name, setting: 'tf32', against: ['tf32'], ratio: 1.5 },
    { case: name, setting: 'tf32', against: ['tf32-compile', 'tf32-graphs'], ratio: 1 },
    { case: name, setting: 'fp32', against: ['fp32'], ratio: 1.5 },
  ]),
  { case: 'C', setting: 'bf16', against: STRONGEST_BF16, ratio: 2 },
  { case: 'C', setting: 'bf16', against: GRAPHS_BF16, ratio: 1 },
  { case: 'C', setting: 'tf32', against: ['tf32-compile'], ratio: 2 },
  { case: 'C', setting: 'tf32', against: ['tf32-graphs', 'tf32-whole'], ratio: 1 },
  ...['V', 'J'].flatMap((name): Target[] => [
    { case: name, setting: 'bf16', against: STRONGEST_BF16, ratio: 1.2 },
    { case: name, setting: 'bf16', against: GRAPHS_BF16, ratio: 1.2 },
  ]),
];
/** Pattention, attention and decoding have a peer but no promised ratio of their own. */
const ALONE = /^((pattention|attention|decode)-|tiny)/;
/** Of the measured product rate, on B. */
const RATE_TARGET = 0.4;
/** Of the measured bandwidth, decoding B at batch 1. */
const BANDWIDTH_TARGET = 0.6;
/** 7.9 TFLOP of B's step: each product once, causal attention at half. */
const STEP_TERAFLOP: Readonly<Record<string, number>> = { B: 7.9 };

const lines = readdirSync(folder)
  .filter((name) => /^(ours|profile|peer).*\.(log|jsonl)$/.test(name))
  .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
  .filter((line) => line.startsWith('{"side"'))
  .flatMap((line): Line[] => {
    try {
      return [JSON.parse(line)];
    } catch {
      return []; // cut off by a time limit
    }
  });
const machineFile = join(folder, 'machine.log');
const firstLine = existsSync(machineFile) ? readFileSync(machineFile, 'utf8').split('\n')[0] : '';
/** The card as nvidia-smi names it. */
const machine = firstLine.includes(',') ? firstLine : '';
const peerLines = lines.filter(({ side }) => side === 'pytorch');
const ownLines = lines.filter(({ side }) => side !== 'pytorch');
const hello = peerLines.find((line) => line.hello);
const sides = [...new Set(ownLines.map(({ side }) => side))];

function find(from: readonly Line[], name: string, setting: string): Line | undefined {
  const found = from.filter((line) => line.case === name && line.setting === setting);
  return found.find(({ ms }) => ms !== undefined) ?? found[0];
}

/** The fastest of the settings that ran. */
function best(name: string, settings: readonly string[]): Line | undefined {
  return settings
    .flatMap((setting) => find(peerLines, name, setting) ?? [])
    .filter((line) => line.ms !== undefined)
    .sort((a, b) => (a.ms as number) - (b.ms as number))[0];
}

const number = (value: number | undefined, digits = 3): string =>
  value === undefined ? '–' : value >= 1000 ? value.toFixed(0) : value.toPrecision(digits);
const gib = (bytes: number | undefined): string => (bytes === undefined ? '–' : (bytes / 2 ** 30).toFixed(2));

function lossesApart(a: Line, b: Line): number | undefined {
  if (!a.losses || !b.losses) return undefined;
  const count = Math.min(a.losses.length, b.losses.length);
  return Math.max(
    ...Array.from({ length: count }, (_, i) => {
      const [x, y] = [a.losses?.[i] as number, b.losses?.[i] as number];
      return Math.abs(x - y) / Math.abs(y);
    }),
  );
}

interface Row {
  readonly cells: readonly string[];
  readonly verdict?: 'ok' | 'missed';
}
const HEADERS = ['case', 'setting', 'ours ms', 'peer ms', 'peer', 'ratio', 'target', '', 'losses', 'GiB', 'peer'];

function row(own: Line | undefined, peer: Line | undefined, name: string, setting: string, target?: number): Row {
  const ratio = own?.ms !== undefined && peer?.ms !== undefined ? peer.ms / own.ms : undefined;
  const apart = own && peer ? lossesApart(own, peer) : undefined;
  const agree = apart === undefined || apart <= (LOSS_TOLERANCES[setting] ?? 0);
  const verdict = target === undefined || ratio === undefined ? undefined : ratio >= target && agree ? 'ok' : 'missed';
  return {
    verdict,
    cells: [
      ...[name, setting, own?.error ? 'error' : number(own?.ms), number(peer?.ms), peer?.setting ?? '–'],
      ...[number(ratio), target === undefined ? '' : `≥ ${target}`, agree ? (verdict ?? '') : 'OTHER LOSSES'],
      ...[apart === undefined ? '' : apart.toExponential(0), gib(own?.peakBytes), gib(peer?.peakBytes)],
    ],
  };
}

function tableFor(side: string): Row[] {
  const own = ownLines.filter((line) => line.side === side);
  const rows = TARGETS.filter(
    (target) => find(own, target.case, target.setting) ?? best(target.case, target.against),
  ).map((target) =>
    row(
      find(own, target.case, target.setting),
      best(target.case, target.against),
      target.case,
      target.setting,
      target.ratio,
    ),
  );
  const alone = [...new Set([...own, ...peerLines].flatMap((line) => line.case ?? []))].filter((name) =>
    ALONE.test(name),
  );
  for (const name of alone.sort()) {
    for (const setting of ['bf16', 'tf32', 'fp32']) {
      const line = find(own, name, setting);
      const variants = ['', '-compile', '-graphs', '-tune'].map((mode) => `${setting}${mode}`);
      const peer = best(name, variants);
      if (line?.ms !== undefined || peer) rows.push(row(line, peer, name.replace('attention-causal', 'attn'), setting));
    }
  }
  const extra = (
    name: string,
    what: string,
    value: number | undefined,
    target: string,
    ok: boolean | undefined,
  ): void => {
    if (value === undefined) return;
    const verdict = ok === undefined ? undefined : ok ? 'ok' : 'missed';
    rows.push({ verdict, cells: [name, what, number(value), '', '', '', target, verdict ?? '', '', '', ''] });
  };
  const peak = peerLines.find((line) => line.case === 'peak' && line.setting === 'bf16')?.teraflops;
  for (const [name, teraflop] of Object.entries(STEP_TERAFLOP)) {
    const ms = find(own, name, 'bf16')?.ms;
    const share = ms && peak ? ((teraflop / ms) * 1000) / peak : undefined;
    extra(
      name,
      'bf16 share of the product rate',
      share,
      `≥ ${RATE_TARGET}`,
      share && share >= RATE_TARGET ? true : share ? false : undefined,
    );
  }
  for (const name of ['A', 'B', 'V']) {
    const [mine, compiled] = [find(own, name, 'bf16')?.peakBytes, best(name, STRONGEST_BF16)?.peakBytes];
    const share = mine && compiled ? mine / compiled : undefined;
    extra(name, 'bf16 memory / compiled peer', share, '≤ 1', share === undefined ? undefined : share <= 1);
  }
  const bandwidth = peerLines.find((line) => line.case === 'bandwidth')?.gigabytesPerS;
  for (const [setting, bytes] of [
    ['bf16', 2],
    ['fp32', 4],
  ] as const) {
    const line = find(own, 'decode-B-1', setting);
    const share =
      line?.ms && line.weightBytes && bandwidth
        ? ((line.weightBytes / 4) * bytes) / line.ms / 1e6 / bandwidth
        : undefined;
    extra(
      'decode-B-1',
      `${setting} share of bandwidth`,
      share,
      `≥ ${BANDWIDTH_TARGET}`,
      share === undefined ? undefined : share >= BANDWIDTH_TARGET,
    );
  }
  return rows;
}

function render(rows: readonly Row[]): string[] {
  const cells = [HEADERS, ...rows.map((one) => one.cells)];
  const widths = HEADERS.map((_, i) => Math.max(...cells.map((line) => [...line[i]].length)));
  return cells.map((line) =>
    line
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join(' ')
      .trimEnd(),
  );
}

const page: string[] = [
  `${machine || (hello?.card ?? 'no card named')}; PyTorch ${hello?.torch ?? '–'}; ${ownLines.find((line) => line.hello)?.device ?? ''}`,
];
const rates = [...peerLines, ...ownLines].filter(
  (line) => line.case === 'peak' || line.case === 'bandwidth' || line.case?.startsWith('products-'),
);
page.push(
  rates
    .map((line) => {
      const value = line.error
        ? 'error'
        : line.gigabytesPerS
          ? `${number(line.gigabytesPerS)} GB/s`
          : `${number(line.teraflops)} TFLOP/s`;
      const name = line.case?.startsWith('products-')
        ? `${line.case} ${line.setting} ${number(line.ms)} ms`
        : `${line.case} ${line.setting}`;
      return `${line.side === 'pytorch' ? '' : 'our '}${name} ${value}`;
    })
    .join('; ')
    .replace(/(.{60,96}?); /g, '$1;\n'),
);
const tables = new Map(sides.map((side) => [side, tableFor(side)]));
if (sides.length === 0) page.push('no lines of ours');
for (const [side, rows] of tables) page.push(`engine ${side}`, ...render(rows));
const verdicts = [...tables.values()].flat().flatMap(({ verdict }) => verdict ?? []);
page.push(
  `${verdicts.filter((verdict) => verdict === 'ok').length} targets met, ${verdicts.filter((verdict) => verdict === 'missed').length} missed`,
);
const errors = lines.filter(({ error }) => error !== undefined);
for (const { side, case: name, setting, error } of errors.slice(0, 12))
  page.push(`${side} ${name} ${setting}: ${error?.replaceAll(/\s+/g, ' ')}`.slice(0, 150));
if (errors.length > 12) page.push(`${errors.length - 12} more errors`);
for (const { case: name, setting, ms, kernels } of ownLines.filter((line) => line.kernels)) {
  page.push(`${name} ${setting}: ${number(ms)} ms on the card; ms a step, calls:`);
  const shown = (kernels ?? [])
    .slice(0, 8)
    .map((kernel) => `${number(kernel.milliseconds)} ${kernel.calls.toFixed(0)}× ${kernel.name}`);
  page.push(shown.join('; ').replace(/(.{50,96}?); /g, '$1;\n'));
}
process.stdout.write(`${page.join('\n')}\n`);

if (options.out !== undefined) {
  const date = new Date().toISOString();
  const card =
    (hello?.card ?? machine.split(',')[0] ?? 'unknown')
      .toLowerCase()
      .match(/[a-z0-9]+/g)
      ?.join('-') ?? 'unknown';
  const file = join(options.out, `gpu-${date.slice(0, 10)}-${card}.json`);
  const results = { date, card: hello?.card ?? machine, machine, commit: describeCommit(), page, lines };
  writeFileSync(file, `${JSON.stringify(results, undefined, 1)}\n`);
  process.stdout.write(`${file}\n`);
}
