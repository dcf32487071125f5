import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Output, renderTable } from '#src/cli';
import { baselineFigure } from './figures/baseline.js';
import { decodeFigure } from './figures/decode.js';
import type { FigureContext } from './figures/figureContext.js';
import { memoryFigure } from './figures/memory.js';
import { pattentionFigure } from './figures/pattention.js';
import { peakOf, sgemmFigure } from './figures/sgemm.js';
import { smallFigure } from './figures/small.js';
import { stepFigure } from './figures/step.js';
import { figureTable, verdictLine } from './figureTable.js';
import { type KernelProfile, PROFILE_HEADERS, profileCells } from './kernelProfile.js';
import { describeCommit, describeMachine, processorFlags } from './machine.js';
import { SEED } from './models.js';
import { PRECISION_TITLE, precisionCurves, precisionSpeed, precisionTable } from './precisionCurves.js';
import { PROFILE_NAMES, type ProfileName } from './profileKernels.js';
import type { BenchResults, Figure } from './results.js';
import type { SideName, SideSpec } from './side.js';
import { findSides } from './sideSpecs.js';

/** The figures, in the order in which they are measured; a step is held against the products before it. */
const FIGURES = {
  sgemm: sgemmFigure,
  pattention: pattentionFigure,
  step: (context: FigureContext, before: readonly Figure[]) => {
    const products = before.find(({ id }) => id === 'sgemm');
    return stepFigure(context, products && peakOf(products));
  },
  decode: decodeFigure,
  memory: memoryFigure,
  small: smallFigure,
  baseline: baselineFigure,
};

type FigureName = keyof typeof FIGURES;
const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

/** What can be asked for: the figures, then loss curves in both precisions and where our time goes. */
export const PART_NAMES = [...FIGURE_NAMES, 'precision', 'profile'] as const;
export type PartName = (typeof PART_NAMES)[number];

export interface BenchSettings {
  readonly rounds: number;
  readonly threads: number;
  readonly only: readonly PartName[];
  readonly sides: readonly SideName[];
}

/** Measures the figures that were asked for and prints each as it is done. */
export async function runBench({ rounds, threads, only, sides }: BenchSettings, output: Output): Promise<BenchResults> {
  const machine = describeMachine();
  output.line(`${machine.cpu}, ${machine.cores} cores, ${machine.instructions}; ${threads} threads, ${rounds} rounds`);
  const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-bench-'));
  try {
    const found = await findSides(sides, threads, processorFlags().has('avx512f'), folder);
    const specs = new Map<SideName, SideSpec>();
    const versions: Partial<Record<SideName, Readonly<Record<string, string>>>> = {};
    const skipped: string[] = [];
    for (const [name, side] of found) {
      if ('skipped' in side) skipped.push(side.skipped);
      else {
        specs.set(name, side.spec);
        versions[name] = side.versions;
      }
      output.line('skipped' in side ? side.skipped : `${name}: ${Object.entries(side.versions).flat().join(' ')}`);
    }
    const figures: Figure[] = [];
    for (const name of FIGURE_NAMES.filter((figure) => only.includes(figure))) {
      const figure = await FIGURES[name]({ specs, rounds, folder }, figures);
      figures.push(figure);
      output.line(`\n${describeFigure(figure)}`);
    }
    const native = specs.get('native');
    const precision = only.includes('precision') && native ? await precisionCurves(native, rounds, folder) : undefined;
    if (precision) output.line(`\n${describePrecision(precision)}`);
    const profiles: Record<string, KernelProfile> = {};
    for (const name of only.includes('profile') ? PROFILE_NAMES : []) {
      profiles[name] = profileInProcess(name, threads);
      output.line(`\nWhere our time goes: ${name}\n\n${renderTable(PROFILE_HEADERS, profileCells(profiles[name]))}`);
    }
    return {
      date: new Date().toISOString(),
      machine,
      commit: describeCommit(),
      threads,
      rounds,
      seed: SEED,
      versions,
      skipped,
      figures,
      precision,
      profiles,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs in a child process: the clocks around kernels stay in place, and so would another workload's memory. */
function profileInProcess(name: ProfileName, threads: number): KernelProfile {
  const program = fileURLToPath(new URL(`main.${import.meta.url.split('.').at(-1)}`, import.meta.url));
  const args = [...process.execArgv, program, 'profile', name, '--threads', String(threads), '--json'];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' }));
}

function describePrecision(precision: NonNullable<BenchResults['precision']>): string {
  if ('skipped' in precision) return precision.skipped;
  const { headers, cells } = precisionTable(precision);
  return [PRECISION_TITLE, '', renderTable(headers, cells), '', precisionSpeed(precision)].join('\n');
}

function describeFigure(figure: Figure): string {
  const { headers, cells } = figureTable(figure);
  const lines = [`${figure.title}, ${figure.rows[0].unit}`, '', renderTable(headers, cells), ''];
  return [...lines, ...figure.verdicts.map(verdictLine)].join('\n').trimEnd();
}
