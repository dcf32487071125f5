/**
 * @file `npm run test:endurance -- --minutes 60 --seconds 60`: language training for that long, stopped every so many
 * seconds by SIGTERM and SIGKILL in turn and resumed; at the end it must have the bytes of an unbroken run of the same
 * length, which runs beside it. Where steps turn out to be faster than measured, both are extended. `--minutes 5 --seconds 10` is a short one.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { writeMiniPipeline } from '../support/miniPipeline.js';
import { differences, folderContent } from './folderContent.js';
import { startProgram } from './killsByTime.js';
import { scratchFolder } from './scratchFolder.js';

/** Large enough that a step takes some tens of milliseconds. */
const MODEL = { dModel: 64, numLayers: 3, numHeads: 4, qkvParamTokens: 64, outputParamTokens: 64, ffnParamTokens: 256 };
const CHECKPOINT_SECONDS = 3;
const EVALUATION_SECONDS = 20;
/** The runs are not extended for less. */
const LEAST_MINUTES_LEFT = 0.5;
/** A stopped run has so long to write its checkpoint. */
const STOP_SECONDS = 10;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seconds: { type: 'string', default: '60' },
    engine: { type: 'string', default: 'auto' },
    keep: { type: 'boolean', default: false },
  },
});
process.exitCode = await endurance(Number(values.minutes), Number(values.seconds));

async function endurance(minutes: number, secondsBetween: number): Promise<number> {
  const folder = scratchFolder();
  log(`in ${folder}`);
  writeMiniPipeline(folder);
  await finished(startProgram(['scenes', 'scenes.yaml'], folder));
  await finished(startProgram(['tokenizer', 'train', 'tokenizer.yaml'], folder));
  const stepSeconds = await measuredStep(folder);
  let steps = Math.round((60 * minutes) / stepSeconds);
  log(`${(1000 * stepSeconds).toFixed(1)} ms a step: ${steps} steps for ${minutes} minutes`);
  const problems: string[] = [];
  const started = performance.now();
  for (let goesOn = false; ; goesOn = true) {
    const words = (run: string): string[] => trainingWords(run, steps, stepSeconds);
    const unbroken = finished(startProgram([...words('unbroken'), ...(goesOn ? ['--extend'] : [])], folder));
    problems.push(...(await brokenRun(words('broken'), goesOn, folder, secondsBetween)));
    log('waiting for the unbroken run');
    await unbroken;
    const left = minutes - (performance.now() - started) / 60_000;
    if (left < LEAST_MINUTES_LEFT) break;
    // Steps became faster: other work on the machine has ended.
    steps = Math.ceil((steps * minutes) / (minutes - left));
    log(`${left.toFixed(1)} minutes left: both runs are extended to ${steps} steps`);
  }
  const content = (run: string) => folderContent(join(folder, run));
  problems.push(...differences(content('unbroken'), content('broken')));
  for (const problem of problems) log(`lost: ${problem}`);
  log(problems.length === 0 ? 'the same bytes as unbroken' : `${problems.length} problems`);
  if (problems.length === 0 || !values.keep) rmSync(folder, { recursive: true });
  return problems.length === 0 ? 0 : 1;
}

/**
 * Trains to the end, with stops in between; what went wrong at them.
 *
 * @param goesOn whether a run that has ended is extended
 */
async function brokenRun(
  words: readonly string[],
  goesOn: boolean,
  folder: string,
  secondsBetween: number,
): Promise<string[]> {
  const problems: string[] = [];
  for (let stops = 0; ; stops++) {
    const child = startProgram([...words, ...(goesOn ? ['--extend'] : stops > 0 ? ['--resume'] : [])], folder);
    let failure: unknown;
    const ended = finished(child).catch((error: unknown) => {
      failure = error;
    });
    await Promise.race([wait(1000 * secondsBetween), ended]);
    if (child.exitCode !== null) {
      await ended;
      if (failure !== undefined) throw failure;
      log(`done after ${stops} stops`);
      return problems;
    }
    const signal = stops % 2 === 0 ? 'SIGTERM' : 'SIGKILL';
    const started = performance.now();
    child.kill(signal);
    await Promise.race([ended, wait(1000 * STOP_SECONDS)]);
    const seconds = (performance.now() - started) / 1000;
    const isOver = child.exitCode !== null || child.signalCode !== null;
    log(`stop ${stops + 1}: ${signal}, exit ${child.exitCode ?? child.signalCode} after ${seconds.toFixed(1)} s`);
    if (!isOver) problems.push(`stop ${stops + 1}: still running ${STOP_SECONDS} s after ${signal}`);
    // 128 + 15; a run that reached its end at that moment says 0.
    else if (signal === 'SIGTERM' && child.exitCode !== 143 && child.exitCode !== 0) {
      problems.push(
        `stop ${stops + 1}: expected exit code 143 after SIGTERM, got ${child.exitCode ?? child.signalCode}`,
      );
    }
    if (!isOver) child.kill('SIGKILL');
    await ended;
  }
}

function trainingWords(out: string, steps: number, stepSeconds: number): string[] {
  const every = (seconds: number): number => Math.max(1, Math.min(steps, Math.round(seconds / stepSeconds)));
  const training = {
    ...{ steps, batchSize: 16, learningRate: 0.001, logEvery: 10 },
    ...{ checkpointEvery: every(CHECKPOINT_SECONDS), evaluateEvery: every(EVALUATION_SECONDS) },
  };
  const settings = [
    ...Object.entries(training).map(([key, value]) => `training.${key}=${value}`),
    ...Object.entries(MODEL).map(([key, value]) => `model.stack.${key}=${value}`),
  ];
  const engine = values.engine === 'auto' ? [] : ['--engine', values.engine];
  return ['train', 'language.yaml', '--out', out, ...settings.flatMap((setting) => ['--set', setting]), ...engine];
}

/** From two runs beside each other, as the long ones will be: their difference has no start in it. */
async function measuredStep(folder: string): Promise<number> {
  const secondsOf = async (steps: number): Promise<number> => {
    const started = performance.now();
    const runs = [0, 1].map((i) => startProgram(trainingWords(`measured-${steps}-${i}`, steps, 1), folder));
    await Promise.all(runs.map(finished));
    return (performance.now() - started) / 1000;
  };
  const [short, long] = [20, 120];
  return ((await secondsOf(long)) - (await secondsOf(short))) / (long - short);
}

async function finished(child: ChildProcess): Promise<void> {
  let stderr = '';
  child.stderr?.on('data', (text) => {
    stderr = (stderr + text).slice(-4000);
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr.trim().split('\n').slice(-3).join(' | ')}`);
}

function log(line: string): void {
  process.stdout.write(`${line}\n`);
}
