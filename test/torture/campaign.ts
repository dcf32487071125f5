import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { inLanes } from './lanes.js';
import type { Loss, PartResult, Setting } from './part.js';

/** Attempts by number, all in one process: too many to start one for each. */
export interface Campaign {
  /** What was lost at attempt `index`; it depends on the seed and the index alone. */
  attempt(index: number): Promise<Loss | undefined>;
}

export type CampaignName = 'flips' | 'fuzz';

const CHILD = join(import.meta.dirname, 'campaignChild.js');
const POLL_MS = 250;
/** One attempt takes milliseconds. Processor time, since other programs may hold up this one; clock time against sleepers. */
const HANG_CPU_SECONDS = 10;
const HANG_SECONDS = 60;
const MEMORY_BYTES = 2 ** 31;
/** After so many ends of its process, something is wrong with a campaign itself. */
const MAX_RESTARTS = 50;

interface Range {
  readonly first: number;
  readonly end: number;
}

/** Runs the attempts of a campaign in a few processes, and goes on behind one that hangs, crashes or takes all memory. */
export async function runCampaign(name: CampaignName, setting: Setting, attempts: number): Promise<PartResult> {
  const losses: Loss[] = [];
  const lanes = Math.max(1, setting.jobs - 1);
  const each = Math.ceil(attempts / lanes);
  const ranges = Array.from({ length: lanes }, (_, lane) => ({
    first: lane * each,
    end: Math.min(attempts, (lane + 1) * each),
  }));
  await inLanes(lanes, ranges, async (range, lane) => {
    const folder = join(setting.scratch, `${name}-${lane}`);
    let first = range.first;
    for (let restarts = 0; first < range.end; restarts++) {
      if (restarts > MAX_RESTARTS) throw new Error(`${name}: its process ended ${restarts} times`);
      mkdirSync(folder, { recursive: true });
      const { stoppedAt, why } = await runRange(name, setting, folder, { first, end: range.end }, losses);
      if (why !== undefined) losses.push({ what: `${name} ${stoppedAt}`, why });
      first = stoppedAt + 1;
    }
  });
  return { attempted: attempts, losses };
}

/** Runs attempts in a process of their own until the last one, or until one that the process does not survive. */
async function runRange(
  name: CampaignName,
  { seed, workshop }: Setting,
  folder: string,
  { first, end }: Range,
  losses: Loss[],
): Promise<{ stoppedAt: number; why?: string }> {
  const progressPath = join(folder, 'progress');
  closeSync(openSync(progressPath, 'w'));
  const progress = openSync(progressPath, 'r');
  const words = [name, folder, workshop, String(seed), String(first), String(end)];
  const child = fork(CHILD, words, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' });
  let stderr = '';
  child.stderr?.on('data', (text) => {
    stderr = (stderr + text).slice(-2000);
  });
  child.on('message', (loss) => losses.push(loss as Loss));
  let at = first;
  let since = { cpu: 0, time: performance.now() };
  let why: string | undefined;
  const watch = setInterval(() => {
    const current = readProgress(progress) ?? first;
    const cpu = cpuSeconds(child.pid as number);
    if (current !== at) [at, since] = [current, { cpu, time: performance.now() }];
    const hangs = cpu - since.cpu > HANG_CPU_SECONDS || performance.now() - since.time > 1000 * HANG_SECONDS;
    if (hangs) why = `no end after ${HANG_CPU_SECONDS} s`;
    else if (residentBytes(child.pid as number) > MEMORY_BYTES) why = 'over 2 GiB of memory';
    if (why !== undefined) child.kill('SIGKILL');
  }, POLL_MS);
  const [code] = await once(child, 'close');
  clearInterval(watch);
  const stoppedAt = readProgress(progress) ?? first;
  closeSync(progress);
  if (code === 0) return { stoppedAt: end - 1 };
  return { stoppedAt, why: why ?? `the process ended (${code}): ${stderr.trim().split('\n').slice(-8).join(' | ')}` };
}

/** The attempt that the process is at; undefined before its first. */
function readProgress(descriptor: number): number | undefined {
  const bytes = Buffer.alloc(4);
  return readSync(descriptor, bytes, 0, 4, 0) === 4 ? bytes.readUInt32LE() : undefined;
}

/** Processor time used so far; 0 where /proc does not tell. */
function cpuSeconds(pid: number): number {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return 0;
  const fields = readFileSync(path, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentBytes(pid: number): number {
  const path = `/proc/${pid}/statm`;
  return existsSync(path) ? Number(readFileSync(path, 'utf8').split(' ')[1]) * 4096 : 0;
}
