import os from 'node:os';
import { type Command, type JsonObject, type Output, renderTable } from '#src/cli';
import { ENGINE_NAMES, type EngineName, type EngineOptions } from './engine.js';
import { measureMatmul } from './measureMatmul.js';
import { ENGINES } from './selectEngine.js';

/** What `doctor` found out about one engine. */
type Finding = { readonly engine: EngineName } & (
  | { readonly available: true; readonly device: string; readonly version: string; readonly matmulGflops: number }
  | { readonly available: false; readonly why: string; readonly install: string }
);

/** `tokenfuse doctor`: which engines work on this machine, on what, and how fast. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'shows which engines work on this machine, and how fast they multiply matrices',
  details: "Engines stand in the order in which 'auto' tries them: the first available one is taken.",
  positionals: [],
  options: {
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
    const { device, version } = await engine.activate(options);
    const matmulGflops = Number((await measureMatmul()).toPrecision(3));
    return { engine: name, available: true, device, version, matmulGflops };
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
  const table = renderTable(['engine', 'works', 'device, or why not', 'GFLOP/s'], rows, { maxWidth: 80 });
  for (const line of table.split('\n')) output.line(line);
  output.line();
  for (const finding of engines) if (!finding.available) output.line(`${finding.engine}: ${finding.install}`);
  const chosen = engines.find(({ available }) => available);
  if (chosen !== undefined) output.line(`auto takes ${chosen.engine}`);
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB memory`;
}
