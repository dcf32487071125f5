import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selectEngine, tf } from '#src/engine';
import { nativeKernels } from '../src/engine/native/kernels/index.js';
import { timeNativeCalls } from '../src/engine/native/runtime.js';
import type { KernelProfile } from './kernelProfile.js';
import { type BenchModel, LANGUAGE_MODEL, SMALL_MODEL, VISION_MODEL, writeBenchModel } from './models.js';
import { prepare } from './ours/prepare.js';
import type { Workload } from './workload.js';

export const PROFILE_NAMES = ['language', 'vision', 'small', 'decode'] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

interface Profile {
  readonly model: BenchModel;
  /** With the folder of the model's files. */
  readonly workload: (folder: string) => Workload;
}

const step = (folder: string): Workload => ({ kind: 'step', folder });

const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  language: { model: LANGUAGE_MODEL, workload: step },
  vision: { model: VISION_MODEL, workload: step },
  small: { model: SMALL_MODEL, workload: step },
  decode: {
    model: LANGUAGE_MODEL,
    workload: (folder) => ({ kind: 'decode', folder, promptLen: 64, newTokens: 64 }),
  },
};

/** Repetitions before the clock starts. */
const WARMUPS = 2;

interface Spent {
  calls: number;
  milliseconds: number;
}

/**
 * Runs a workload on the native engine and takes the time of its compiled kernels and of the kernels of TensorFlow.js that
 * have no compiled form. They return when their work is done, so the sum is exact. The clocks stay in place: once a process.
 */
export async function profileKernels(name: ProfileName, repetitions: number): Promise<KernelProfile> {
  const { model, workload } = PROFILES[name];
  await selectEngine('native');
  const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-profile-'));
  try {
    const repetition = prepare(workload(writeBenchModel(folder, model)));
    for (let i = 0; i < WARMUPS; i++) await repetition();
    const [compiled, javaScript] = [new Map<string, Spent>(), new Map<string, Spent>()];
    timeNativeCalls((call, milliseconds) => add(compiled, call, milliseconds));
    timeJavaScriptKernels(javaScript);
    const start = performance.now();
    for (let i = 0; i < repetitions; i++) await repetition();
    const total = performance.now() - start;
    const kernels = [compiled, javaScript].flatMap((spent) =>
      [...spent].map(([kernel, { calls, milliseconds }]) => ({
        name: kernel,
        javaScript: spent === javaScript,
        calls: calls / repetitions,
        milliseconds: milliseconds / repetitions,
      })),
    );
    return {
      milliseconds: total / repetitions,
      kernels: kernels.sort((a, b) => b.milliseconds - a.milliseconds),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Puts a clock around every kernel of TensorFlow.js that has no compiled form; one that runs others is not counted twice. */
function timeJavaScriptKernels(spent: Map<string, Spent>): void {
  const names = new Set(nativeKernels().javaScript);
  let depth = 0;
  for (const config of tf.getKernelsForBackend('native')) {
    if (!names.has(config.kernelName)) continue;
    tf.unregisterKernel(config.kernelName, config.backendName);
    tf.registerKernel({
      ...config,
      kernelFunc: (args) => {
        const start = performance.now();
        depth++;
        try {
          return config.kernelFunc(args);
        } finally {
          depth--;
          if (depth === 0) add(spent, config.kernelName, performance.now() - start);
        }
      },
    });
  }
}

function add(spent: Map<string, Spent>, name: string, milliseconds: number): void {
  const sums = spent.get(name) ?? { calls: 0, milliseconds: 0 };
  spent.set(name, { calls: sums.calls + 1, milliseconds: sums.milliseconds + milliseconds });
}
