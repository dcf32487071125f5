import { describe, expect, it } from 'vitest';
import { benchMarkdown } from '../../bench/benchMarkdown.js';
import { agreement } from '../../bench/figures/agreement.js';
import { ratioVerdicts } from '../../bench/figures/figureContext.js';
import { figureTable, showNumber, verdictLine } from '../../bench/figureTable.js';
import { profileCells } from '../../bench/kernelProfile.js';
import { resultsName } from '../../bench/machine.js';
import { precisionSpeed, precisionTable } from '../../bench/precisionCurves.js';
import { type BenchResults, bestPeer, type Figure, timedRow, type Verdict } from '../../bench/results.js';
import type { BenchCase } from '../../bench/runRounds.js';
import type { SideName } from '../../bench/side.js';

const STEP: BenchCase = { name: 'a step', workload: { kind: 'step', folder: 'x' }, amount: 100, unit: 'tokens/s' };

function times(sides: Partial<Record<SideName, number[]>>) {
  return new Map(
    Object.entries(sides).map(([side, seconds]) => [
      side as SideName,
      { rounds: seconds.map((s) => ({ seconds: s })) },
    ]),
  );
}

function figure(sides: Partial<Record<SideName, number[]>>): Figure {
  const row = timedRow(STEP, times(sides));
  return { id: 'step', title: '3. Step', rows: [{ ...row, peakShare: 0.61 }], verdicts: [] };
}

describe('a row of the bench', () => {
  it('gives speeds, and ours by the peer: above 1 when ours takes less time', () => {
    const row = timedRow(STEP, times({ native: [1, 2, 4], pytorch: [2, 5, 8] }));
    expect(row.values.native).toEqual({ median: 50, rounds: [100, 50, 25] });
    expect(row.ratio).toBe(2);
    expect(row.peer).toBe('pytorch');
  });

  it('is beside the fastest peer, which our other engine is not', () => {
    const row = timedRow(STEP, times({ native: [2], pytorch: [8], jax: [3], 'new-pytorch': [4], wasm: [1] }));
    expect([row.peer, row.ratio]).toEqual(['jax', 1.5]);
    expect(row.ratios).toEqual({ pytorch: 4, jax: 1.5, 'new-pytorch': 2 });
  });

  it('is beside the peer that takes the least memory', () => {
    expect(bestPeer({ pytorch: 0.4, jax: 0.6 }, 'most')).toMatchObject({ peer: 'jax', ratio: 0.6 });
  });

  it('gives milliseconds as such', () => {
    const row = timedRow({ ...STEP, unit: 'ms' }, times({ native: [0.002], pytorch: [0.003] }));
    expect(row.values.native?.median).toBe(2);
    expect(row.ratio).toBeCloseTo(1.5, 12);
  });

  it('has no ratio without a peer', () => {
    expect(timedRow(STEP, times({ native: [1] })).ratio).toBeUndefined();
  });
});

describe('the targets of a figure', () => {
  const targets = [
    { peer: 'PyTorch', sides: ['new-pytorch'], bound: 2 },
    { peer: 'best compiled peer', sides: ['compiled-pytorch', 'jax'], bound: 1.3 },
  ] as const;

  it('are held against the best of their peers, and left out where none took part', () => {
    const row = timedRow(STEP, times({ native: [2], jax: [3], 'compiled-pytorch': [4] }));
    expect(ratioVerdicts([row], targets)).toEqual([
      { label: 'a step, ours / best compiled peer', value: 1.5, target: { at: 'least', bound: 1.3 } },
    ]);
  });

  it('count only when every peer computed the same', () => {
    const peers = (loss: number) =>
      new Map<SideName, number[]>([
        ['pytorch', [2, 1]],
        ['jax', [2, loss]],
      ]);
    expect(agreement('losses', [2, 1], peers(1.0005))[0].value).toBeCloseTo(0.0005, 6);
    expect(() => agreement('losses', [2, 1], peers(1.1))).toThrow('those of JAX 2, 1.1');
    expect(agreement('losses', [2, 1], new Map())).toEqual([]);
  });
});

describe('the tables of the bench', () => {
  it('shows only the sides that took part', () => {
    expect(figureTable(figure({ native: [1], jax: [4], pytorch: [2], wasm: [50] }))).toEqual({
      headers: ['case', 'ours', 'PyTorch (Debian)', 'JAX', 'our wasm', 'ours / best peer', 'of peak'],
      cells: [['a step', '100', '50.0', '25.0', '2.00', '2.00', '61 %']],
    });
    expect(figureTable(figure({ native: [1] })).headers).toEqual(['case', 'ours', 'of peak']);
  });

  it('says whether a target is met, in either direction', () => {
    const verdict = (value: number, at: 'least' | 'most'): Verdict => ({ label: 'x', value, target: { at, bound: 1 } });
    expect(verdictLine(verdict(1.5, 'least'))).toBe('✓ x: 1.50 (≥ 1)');
    expect(verdictLine(verdict(1.5, 'most'))).toBe('✗ x: 1.50 (≤ 1)');
    expect(verdictLine(verdict(Number.NaN, 'most'))).toMatch(/^✗/);
  });

  it('shows three digits that count', () => {
    expect([1234.5, 12.345, 0.1234, 1.234e-7, 0, undefined].map(showNumber)).toEqual([
      '1235',
      '12.3',
      '0.123',
      '1.2e-7',
      '0.00',
      '–',
    ]);
  });

  it('puts small kernels together and leaves nothing out of the sum', () => {
    const kernels = [
      { name: 'Pattention', javaScript: false, calls: 30, milliseconds: 90 },
      { name: 'Cast', javaScript: true, calls: 1, milliseconds: 0.25 },
    ];
    expect(profileCells({ milliseconds: 100, kernels })).toEqual([
      ['Pattention', '30', '90.00', '90.0 %'],
      ['1 other kernels', '–', '0.25', '0.3 %'],
      ['outside of kernels', '–', '9.75', '9.8 %'],
      ['all', '–', '100.00', '100.0 %'],
    ]);
  });
});

describe('loss curves in both precisions', () => {
  const losses = { highest: [4, 3, 2], bf16: [4, 3.03, 1.98] };

  it('show the first step, the last, and how far they are apart', () => {
    expect(precisionTable({ by: 'AVX512-BF16', losses })).toEqual({
      headers: ['step', 'highest', 'bf16', 'difference'],
      cells: [
        ['1', '4.0000', '4.0000', '0.00 %'],
        ['3', '2.0000', '1.9800', '-1.00 %'],
      ],
    });
  });

  it('say that they are emulated, and give a speed only where they are not', () => {
    expect(precisionTable({ by: 'emulation', losses }).headers[2]).toBe('bf16 emulated');
    expect(precisionSpeed({ by: 'emulation', losses })).toMatch(/^No speed: emulation/);
    expect(precisionSpeed({ by: 'AVX512-BF16', losses, speedup: 1.5 })).toMatch(/: 1\.50 \(AVX512-BF16\)\.$/);
  });
});

describe('what the bench leaves behind', () => {
  it('is named by date and processor', () => {
    expect(resultsName('2025-03-04T05:06:07Z', 'Intel(R) Xeon(R) CPU @ 2.00GHz')).toBe(
      '2025-03-04-intel-xeon-cpu-2-00ghz',
    );
  });

  it('becomes Markdown that names machine, versions and every side left out', () => {
    const results: BenchResults = {
      date: '2025-03-04T05:06:07Z',
      machine: { cpu: 'A', cores: 2, instructions: 'avx2', memoryMiB: 1, system: 'Linux' },
      commit: 'abc',
      threads: 2,
      rounds: 7,
      seed: 7,
      versions: { native: { node: 'v20' } },
      skipped: ['pytorch is left out: no PyTorch'],
      figures: [figure({ native: [1] })],
      precision: { skipped: 'precision is left out: the processor lacks AVX2' },
      profiles: { small: { milliseconds: 1, kernels: [] } },
    };
    const text = benchMarkdown(results, 'x.json');
    for (const part of [
      'A, 2 cores (avx2)',
      '- ours: node v20',
      '- pytorch is left out',
      'precision is left out',
      '| a step | 100 | 61 % |',
    ]) {
      expect(text).toContain(part);
    }
  });
});
