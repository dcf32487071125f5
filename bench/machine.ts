import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { BenchResults } from './results.js';

/** Instruction sets that decide the speed of products, widest first. */
const INSTRUCTION_SETS = ['avx512_bf16', 'avx512f', 'avx2', 'sse2'];

/** What the figures were measured on. */
export function describeMachine(): BenchResults['machine'] {
  const flags = processorFlags();
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: os.availableParallelism(),
    instructions: INSTRUCTION_SETS.filter((name) => flags.has(name)).join(', ') || os.arch(),
    memoryMiB: Math.round(os.totalmem() / 2 ** 20),
    system: `${os.type()} ${os.release().split('-')[0]}`,
  };
}

/** As Linux names them; none elsewhere. */
export function processorFlags(): Set<string> {
  try {
    const [, flags] = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8')) ?? [];
    return new Set((flags ?? '').trim().split(' '));
  } catch {
    return new Set();
  }
}

/** The commit of the code, marked when files differ from it. */
export function describeCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'ignore'],
      encoding: 'utf8',
    }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return `${git('rev-parse', 'HEAD')}${changed ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** `2025-01-31-amd-epyc`, the name of a results file. */
export function resultsName(date: string, cpu: string): string {
  const words = cpu
    .replace(/\((R|TM)\)/gi, '')
    .toLowerCase()
    .match(/[a-z0-9]+/g) ?? ['unknown'];
  return `${date.slice(0, 10)}-${words.join('-')}`;
}
