import { type ComputationRecorder, type InputArray, inputType, type RecordedComputation, tf } from '../shared/index.js';
import type { CudaAddon } from './addon.js';
import type { CudaBackend } from './backend.js';
import type { DeviceMemory } from './deviceMemory.js';
import type { GraphUse } from './runtime.js';

interface Givens {
  readonly addon: Pick<CudaAddon, 'upload' | 'beginCapture' | 'endCapture' | 'launchGraph' | 'freeGraph'>;
  readonly backend: CudaBackend;
  readonly memory: Pick<DeviceMemory, 'flush'>;
}

/** Of what stands in the way of a recording alone: an operation that reads or writes numbers on the host, or too little memory for a second copy. */
function onlyRecordingFails(error: unknown): boolean {
  return ['CUDA_CAPTURE', 'CUDA_OUT_OF_MEMORY'].includes((error as { code?: string }).code ?? '');
}

/**
 * Records computations as CUDA graphs. Inputs have places of their own on the card, which `run` fills; constants that the computation makes
 * are uploaded once; what it allocates belongs to the graph, so a second run overwrites the results of the first.
 */
export function createRecorder({ addon, backend, memory }: Givens, use: Exclude<GraphUse, 'off'>): ComputationRecorder {
  function place(array: InputArray): tf.Tensor {
    const info = backend.makeOnCard([...array.shape], inputType(array));
    return tf.keep(tf.engine().makeTensorFromTensorInfo(info));
  }

  /** The graph of a computation and its results; undefined where it cannot be one. */
  function capture(compute: () => readonly tf.Tensor[]): { id: number; outputs: tf.Tensor[] } | undefined {
    memory.flush();
    addon.beginCapture(true);
    let outputs: tf.Tensor[] = [];
    let failure: unknown;
    try {
      tf.tidy(() => {
        outputs = compute().map((tensor) => tf.keep(tensor));
      });
      memory.flush();
    } catch (error) {
      failure = error;
    }
    // Ends the recording in any case. A driver that refuses what was recorded says so here.
    let id: number | undefined;
    try {
      id = addon.endCapture();
    } catch (error) {
      if ((error as { code?: string }).code === 'CUDA_LOST') throw error;
    }
    if (id !== undefined && failure === undefined) return { id, outputs };
    if (id !== undefined) addon.freeGraph(id);
    tf.dispose(outputs);
    if (failure !== undefined && !onlyRecordingFails(failure)) throw failure;
    return undefined;
  }

  return {
    // Where JavaScript takes longer than the rest, the card waits for it.
    pays: (issueMs, restMs) => use === 'always' || issueMs > restMs,
    record: (inputs, parameters, compute) => {
      const places = inputs.map(place);
      const fixed = parameters.map((tensor) => ({ tensor, address: backend.address(tensor) }));
      let captured: ReturnType<typeof capture>;
      try {
        captured = capture(() => compute(places));
      } finally {
        if (captured === undefined) tf.dispose(places);
      }
      if (captured === undefined) return undefined;
      const { id, outputs } = captured;
      const recorded: RecordedComputation = {
        run: (given) => {
          const isMoved = fixed.some(({ tensor, address }) => tensor.isDisposed || backend.address(tensor) !== address);
          if (isMoved) return undefined;
          memory.flush();
          for (const [i, { values }] of given.entries()) addon.upload(backend.address(places[i]), values);
          addon.launchGraph(id);
          for (const tensor of outputs) backend.changed(tensor);
          return outputs;
        },
        dispose: () => {
          tf.dispose([...places, ...outputs]);
          addon.freeGraph(id);
        },
      };
      return recorded;
    },
  };
}
