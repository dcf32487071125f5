import os from 'node:os';
import { type Command, type JsonObject, type Output, renderTable, wrapText } from '#src/cli';
import {
  describeCuda,
  ENGINE_NAMES,
  ENGINES,
  type EngineName,
  type EngineOptions,
  FUSED_KERNEL_NAMES,
  type FusedKernel,
  type KernelOrigins,
  measureMatmul,
  type PrecisionSupport,
  tf,
} from '#src/engine';

/** What `doctor` reports of one engine. */
type Finding = { readonly engine: EngineName } & (Working | { available: false; why: string; install: string });

interface Working {
  readonly available: true;
  readonly device: string;
  readonly version: string;
  readonly threads?: number;
  readonly matmulGflops: number;
  /** Bytes, of an engine with a pool: in use, free but kept for the next step, and how many of those at most. */
  readonly pool?: { readonly used: number; readonly free: number; readonly limit: number };
  /** Whether these values of `training.matmulPrecision` can be asked for, and what computes them, of an engine that may have them. */
  readonly tf32?: PrecisionSupport;
  readonly bf16?: PrecisionSupport;
  /**
   * Fused operations with a kernel of their own, and the Θ that those of Pattention know; also which kernels are compiled, of
   * an engine that leaves others to JavaScript.
   */
  readonly kernels: {
    readonly fused: readonly FusedKernel[];
    readonly normActivations: readonly string[];
  } & Partial<KernelOrigins>;
}

const COLUMNS = 80;

/** `tokenfuse doctor`: which engines work on this machine, on what, and how fast. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Show which engines work on this machine, and how fast they multiply matrices',
  details: "Engines are listed in the order in which 'auto' tries them: the first available one is taken.",
  positionals: [],
  options: {
    kernels: { description: 'list which operations have a fast kernel on which engine, and which have none' },
    'allow-software-adapter': { description: 'measure accelerators that are emulated on the CPU too (slow)' },
  },
  async run(args, output): Promise<JsonObject> {
    const machine = describeMachine();
    output.line(`Node ${machine.node}, ${machine.platform}, ${machine.cores} cores, ${gib(machine.memoryBytes)}`);
    output.line(machine.processor);
    output.line();
    const engines: Finding[] = [];
    for (const name of ENGINE_NAMES) {
      engines.push(await examine(name, { allowSoftwareAdapter: args.flag('allow-software-adapter') }));
    }
    printFindings(engines, output);
    if (!args.flag('kernels')) {
      return { ...machine, engines: engines.map((each) => ({ ...each, kernels: undefined })) };
    }
    printKernels(engines, output);
    return { ...machine, engines };
  },
};

function describeMachine() {
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    // What this process may use, which in a container is less than the machine has.
    cores: os.availableParallelism(),
    memoryBytes: Math.min(os.totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
    processor: os.cpus()[0]?.model ?? 'unknown processor',
  };
}

async function examine(name: EngineName, options: EngineOptions): Promise<Finding> {
  const engine = ENGINES[name];
  const probe = await engine.probe(options);
  if (!probe.available) return { engine: name, ...probe };
  try {
    const activated = await engine.activate(options);
    const matmulGflops = Number((await measureMatmul()).toPrecision(3));
    const { pool } = tf.memory() as Pick<Working, 'pool'>;
    // What is in place, which is less than what the engine declares where its kernels are not built.
    const fused = FUSED_KERNEL_NAMES.filter((kernel) => tf.getKernel(kernel, name) != null);
    const normActivations = fused.includes('Pattention') ? engine.normActivations : [];
    const kernels = { fused, normActivations, ...engine.kernelOrigins?.() };
    const { precisions = [], support } = engine.matmulPrecision ?? {};
    const precisionSupport = Object.fromEntries(precisions.map((precision) => [precision, support?.(precision)]));
    return { engine: name, available: true, ...activated, matmulGflops, pool, ...precisionSupport, kernels };
  } catch (error) {
    const why = `fails: ${(error as Error).message.split('\n')[0]}`;
    return { engine: name, available: false, why, install: 'the message names the cause' };
  }
}

function printFindings(engines: readonly Finding[], output: Output): void {
  const rows = engines.map((finding) =>
    finding.available
      ? [finding.engine, 'yes', finding.device, String(finding.matmulGflops)]
      : [finding.engine, 'no', finding.why, '-'],
  );
  const table = renderTable(['engine', 'works', 'device, or why not', 'GFLOP/s'], rows, { maxWidth: COLUMNS });
  for (const line of table.split('\n')) output.line(line);
  output.line();
  for (const finding of engines) {
    // Whole, since the table may have cut it.
    if (!finding.available) printWrapped(`${finding.engine}: ${finding.why}; ${finding.install}`, output);
  }
  for (const finding of engines) {
    if (!finding.available || finding.pool === undefined) continue;
    const { used, free, limit } = finding.pool;
    output.line(`${finding.engine}: memory ${mib(used)} in use, ${mib(free)} kept for reuse (${mib(limit)} at most)`);
  }
  for (const finding of engines) {
    for (const precision of ['tf32', 'bf16'] as const) {
      const support = finding.available ? finding[precision] : undefined;
      if (support === undefined) continue;
      output.line(`${finding.engine}: matmulPrecision ${precision}: ${describeSupport(support)}`);
    }
  }
  for (const line of describeCuda()) printWrapped(line, output);
  const chosen = engines.find(({ available }) => available);
  if (chosen !== undefined) output.line(`auto selects ${chosen.engine}`);
}

function printWrapped(text: string, output: Output): void {
  for (const [i, line] of wrapText(text, COLUMNS - 2).entries()) output.line(i === 0 ? line : `  ${line}`);
}

function describeSupport(support: PrecisionSupport): string {
  if ('missing' in support) return `no, ${support.missing}`;
  return support.by === 'emulation' ? 'bf16 emulated (TOKENFUSE_EMULATE_BF16), slow' : `yes, by ${support.by}`;
}

function printKernels(engines: readonly Finding[], output: Output): void {
  const working = engines.filter((finding) => finding.available);
  const rows = FUSED_KERNEL_NAMES.map((kernel) => [
    kernel,
    ...working.map(({ kernels }) => (kernels.fused.includes(kernel) ? 'kernel' : 'reference')),
  ]);
  const headers = ['fused operation', ...working.map(({ engine }) => engine)];
  output.line();
  for (const line of renderTable(headers, rows, { maxWidth: COLUMNS }).split('\n')) output.line(line);
  output.line();
  for (const { engine, kernels } of working) {
    const names = kernels.normActivations.join(', ') || 'none, Pattention runs by reference';
    output.line(`${engine}: kernels for normActivation ${names}`);
  }
  for (const { engine, kernels } of working) {
    const lists = [
      ['compiled', kernels.compiled],
      ['in plain JavaScript', kernels.javaScript],
    ] as const;
    for (const [how, names] of lists) {
      if (names === undefined) continue;
      output.line();
      output.line(`${engine}, ${names.length} kernels ${how}:`);
      for (const line of wrapText(names.join(' '), COLUMNS - 2)) output.line(`  ${line}`);
    }
  }
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB memory`;
}
