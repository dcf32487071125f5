/**
 * @file What happens when the card is full, and when it is lost: a clear line each time, and work goes on, or the process ends.
 *
 *     node dist/bench/gpu/trouble.js --engine cuda
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { type EngineName, selectEngine, tf } from '#src/engine';
import { AdamW, trainStep } from '#src/training';
import type { CudaAddon } from '../../src/engine/cuda/addon.js';
import { createCommands } from '../../src/engine/cuda/kernels/commands.js';
import { cudaAddon, deviceMemory } from './cardProfile.js';
import { openCase } from './cases.js';

const { values: options } = parseArgs({
  options: { engine: { type: 'string', default: 'cuda' }, child: { type: 'string' } },
});

/** Bytes of the blocks that fill the card. */
const BLOCK = 2 ** 31;

let failures = 0;

function check(name: string, ok: boolean, seen: string): void {
  if (!ok) failures++;
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name}: ${seen}\n`);
}

function messageOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function isClear(message: string | undefined): boolean {
  return message !== undefined && !message.includes('\n') && /memory|room/i.test(message) && /\d/.test(message);
}

async function engineWorks(): Promise<boolean> {
  const sum = tf.tidy(() => tf.sum(tf.mul(tf.ones([1000]), 2)));
  const [value] = await sum.data();
  sum.dispose();
  return value === 2000;
}

async function fullCard(addon: CudaAddon): Promise<void> {
  const { total } = addon.memory();
  const huge = messageOf(() => tf.tidy(() => tf.tile(tf.zeros([1, 2 ** 20]), [Math.ceil(total / 2 ** 20), 1])));
  check('one result larger than the card', isClear(huge), huge ?? 'no error');
  check('works afterwards', await engineWorks(), 'a sum');
  if (isEmulated) return; // its memory is this machine's
  const blocks: tf.Tensor[] = [];
  let message: string | undefined;
  const one = tf.ones([1, 2 ** 20]);
  while (message === undefined && blocks.length * BLOCK < 2 * total) {
    message = messageOf(() => {
      blocks.push(tf.tile(one, [BLOCK / 4 / 2 ** 20, 1]));
    });
  }
  check(`full after ${blocks.length} blocks of 2 GiB`, isClear(message), message ?? 'no error');
  tf.dispose([one, ...blocks]);
  check('works afterwards', await engineWorks(), 'a sum');
  const again = messageOf(() => tf.tile(tf.ones([1, 2 ** 20]), [BLOCK / 4 / 2 ** 20, 1]).dispose());
  check('memory can be used again', again === undefined, again ?? `${deviceMemory()?.used} bytes in use`);
}

/** A kernel that writes where nothing is: from then on the device answers nothing. */
function loseDevice(addon: CudaAddon): void {
  const facts = (tf.backend() as { readonly facts?: { readonly capability?: number } }).facts;
  const source = 'extern "C" __global__ void writesNowhere(float* x) { x[threadIdx.x] = 1.0f; }';
  const cubin = addon.compile(source, 'nowhere.cu', [`--gpu-architecture=sm_${facts?.capability ?? 90}`]);
  const [kernel] = addon.loadKernels(cubin, ['writesNowhere']);
  const commands = createCommands(addon);
  // As a number: what is passed as an address is checked before the launch.
  commands.launch(kernel, { grid: [1], threads: 32 }, [{ long: 64 }]);
  commands.flush();
}

/** Trains, loses the device, and goes on training: what a run sees. */
async function trainOnLostDevice(): Promise<void> {
  const addon = cudaAddon();
  if (addon === undefined) throw new Error('expected the functions of engine cuda');
  const { task, tree, training } = openCase('tiny', 'highest');
  const optimizer = new AdamW(tree, training);
  for (let step = 1; step <= 3; step++) await trainStep(task, training, optimizer, { step });
  loseDevice(addon);
  for (let step = 4; step <= 8; step++) await trainStep(task, training, optimizer, { step });
}

const { device } = await selectEngine(options.engine as EngineName);
const isEmulated = /emulated/i.test(device);
if (options.child !== undefined) {
  await trainOnLostDevice().then(
    () => process.stdout.write('no error\n'),
    (error: Error & { readonly code?: string }) => {
      process.stdout.write(`${error.name} ${error.code ?? ''}: ${error.message}\n`);
      process.exitCode = 3;
    },
  );
} else {
  const addon = options.engine === 'cuda' ? cudaAddon() : undefined;
  if (addon === undefined) {
    process.stdout.write(`trouble: nothing to do on engine ${options.engine}\n`);
  } else {
    await fullCard(addon);
    if (isEmulated) process.exit(failures > 0 ? 1 : 0); // a wild write would end this process
    const args = [process.argv[1], '--engine', options.engine, '--child', 'lost'];
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 40_000 });
    const line = stdout.trim().split('\n');
    const clear = status === 3 && line.length === 1 && /CUDA_LOST|lost|no longer/i.test(stdout);
    check(
      'a lost device ends the run',
      clear,
      `${stdout.trim() || stderr.trim().slice(-300)} (exit ${status ?? signal})`,
    );
  }
  process.exitCode = failures > 0 ? 1 : 0;
}
