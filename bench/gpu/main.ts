/**
 * @file `npm run bench:gpu`: our side, then PyTorch, on this machine's card, in one run; writes bench/results/gpu-*.json. PYTHON names
 * another interpreter; other options are those of ours.ts (`--models`, `--settings`, `--seconds`, `--extras`), `--engines` and `--pairs`.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchPath } from '../benchFolder.js';

const { values: options } = parseArgs({
  options: {
    engines: { type: 'string', default: 'cuda,webgpu' },
    models: { type: 'string', default: 'C,A,B,V,J' },
    settings: { type: 'string', default: 'bf16,tf32,fp32' },
    'peer-settings': {
      type: 'string',
      default: 'bf16-compile,bf16-graphs,bf16,tf32-compile,tf32-graphs,tf32,fp32',
    },
    extras: { type: 'string', default: 'all' },
    seconds: { type: 'string', default: '3' },
  },
});

const logs = mkdtempSync(join(tmpdir(), 'tokenfuse-bench-gpu-'));
try {
  const common = ['--models', options.models, '--extras', options.extras, '--seconds', options.seconds];
  for (const engine of options.engines.split(',')) {
    const settings = engine === 'cuda' ? options.settings : 'fp32';
    await run(`ours-${engine}`, process.execPath, [
      program('ours'),
      '--engine',
      engine,
      '--settings',
      settings,
      ...common,
    ]);
  }
  const python = process.env.PYTHON ?? 'python3';
  await run('peer', python, [benchPath('gpu/peer.py'), '--settings', options['peer-settings'], ...common]);
  await run('table', process.execPath, [program('table'), '--logs', logs, '--out', benchPath('results')]);
} finally {
  rmSync(logs, { recursive: true, force: true });
}

function program(name: string): string {
  return fileURLToPath(new URL(`${name}.js`, import.meta.url));
}

/** Runs a program with its output in a log of that name, and errors and the table also here; a failure does not end the others. */
async function run(name: string, command: string, args: readonly string[]): Promise<void> {
  const log = createWriteStream(join(logs, `${name}.log`));
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.pipe(log);
  child.stdout.pipe(process.stdout);
  await new Promise<void>((resolve) => {
    child.on('error', (error) => {
      process.stderr.write(`bench: cannot start ${name}: ${error.message}\n`);
      log.end(resolve);
    });
    child.on('close', () => log.end(resolve));
  });
}
