/**
 * @file `npm run test:torture`: what bad luck and damaged files do to tokenfuse.
 *
 * Each part attempts one kind of harm many times and prints a line `attempted / survived / lost`; a table of all parts
 * comes at the end, and the exit code is 1 when anything was lost. The parts:
 *
 *     kills      SIGKILL at a random file-system call of every command that writes, then the same command again
 *     clock      SIGKILL, SIGTERM, SIGINT or SIGHUP at a random time, as a user or a queue would
 *     writers    two processes that run one command in one folder
 *     disk       a full disk from a random call on, then space again
 *     power      a power cut at a random call, on an ext4 image (root on Linux only)
 *     flips      one flipped bit in checkpoints, caches, logs and reports
 *     fuzz       mutated files of every format that is read
 *
 * All choices follow from `--seed`, which is printed; `--only kills --command merge --seed 7 --keep` repeats one part and
 * keeps the folders in which something was lost. `faults.c` is the library that breaks calls; without a compiler, or where
 * there is no LD_PRELOAD, the parts that need it say so and are skipped. The whole takes under half an hour on two cores,
 * `--quick` under three minutes. `npm run test:endurance` (endurance.ts) is the long one: training with many restarts.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { renderTable } from '#src/cli';
import { bitFlips } from './bitFlips.js';
import { bundleChild } from './bundledChild.js';
import { tortureCommands } from './commands.js';
import { compileFaults } from './faultControl.js';
import { fullDisk } from './fullDisk.js';
import { fuzzedInputs } from './fuzzedInputs.js';
import { killsByCall } from './killsByCall.js';
import { killsByTime } from './killsByTime.js';
import { tortureOptions, USAGE } from './options.js';
import type { Part, PartResult, Setting } from './part.js';
import { powerLoss } from './powerLoss.js';
import { scratchFolder } from './scratchFolder.js';
import { twoWriters } from './twoWriters.js';
import { makeWorkshop } from './workshop.js';

const PARTS: readonly Part[] = [killsByCall, killsByTime, twoWriters, fullDisk, powerLoss, bitFlips, fuzzedInputs];
/** Of one part; more rarely say something new. */
const MAX_LOSSES_SHOWN = 12;

const options = tortureOptions(
  process.argv.slice(2),
  PARTS.map(({ name }) => name),
);
if (options === undefined) process.stdout.write(USAGE);
else process.exitCode = await torture(options);

async function torture({ seed, only, commands, keep, jobs, size, engine }: NonNullable<typeof options>) {
  const log = (line: string): void => void process.stdout.write(`${line}\n`);
  const scratch = scratchFolder();
  log(`seed ${seed}, ${jobs} at a time, in ${scratch}`);
  const all = tortureCommands(engine);
  const setting: Setting = {
    scratch,
    workshop: join(scratch, 'workshop'),
    commands: commands.length === 0 ? all : all.filter(({ name }) => commands.includes(name)),
    seed,
    size,
    keep,
    jobs,
    faults: compileFaults(scratch),
    engine,
    log,
  };
  await bundleChild(scratch);
  mkdirSync(setting.workshop);
  await makeWorkshop(all, setting);
  const rows: string[][] = [];
  let lost = 0;
  for (const part of PARTS.filter(({ name }) => only.length === 0 || only.includes(name))) {
    const started = performance.now();
    const result = await part.run(setting);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    lost += result.losses.length;
    report(part, result, setting);
    rows.push([part.name, ...countsOf(result), `${seconds} s`, result.skipped ?? '']);
  }
  log(`\n${renderTable(['part', 'attempted', 'survived', 'lost', 'time', ''], rows)}`);
  if (!keep || lost === 0) rmSync(scratch, { recursive: true, force: true });
  return lost === 0 ? 0 : 1;
}

function countsOf({ attempted, losses }: PartResult): string[] {
  return [attempted, attempted - losses.length, losses.length].map(String);
}

function report(part: Part, result: PartResult, { log, keep }: Setting): void {
  const [attempted, survived, lost] = countsOf(result);
  const skipped = result.skipped === undefined ? '' : `; skipped: ${result.skipped}`;
  log(`${part.name}: ${attempted} attempted / ${survived} survived / ${lost} lost${skipped}`);
  const shown = keep ? result.losses : result.losses.slice(0, MAX_LOSSES_SHOWN);
  for (const { what, why } of shown) log(`  lost: ${what}: ${why}`);
  const more = result.losses.length - shown.length;
  if (more > 0) log(`  and ${more} more; --keep shows all`);
}
