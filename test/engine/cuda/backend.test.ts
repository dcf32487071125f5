import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { RunError } from '#src/errors';
import { type CudaBackend, createCudaBackend } from '../../../src/engine/cuda/backend.js';
import { createDeviceMemory } from '../../../src/engine/cuda/deviceMemory.js';
import { createCommands } from '../../../src/engine/cuda/kernels/commands.js';
import { createKernelContext, type KernelContext } from '../../../src/engine/cuda/kernels/context.js';
import { normalNumbers } from '../../support/kernelComparison.js';
import { createStandIn, FACTS, type StandIn } from './standIn.js';

const BACKEND = 'cudaStandIn';

let addon: StandIn;
let backend: CudaBackend;
let context: KernelContext;

/** A tensor whose numbers are in device memory alone. */
function onDevice(values: number[]): tf.Tensor {
  const info = context.run(() => context.output([values.length])) as tf.TensorInfo;
  addon.upload(context.address(info), Float32Array.from(values));
  return tf.engine().makeTensorFromTensorInfo(info);
}

beforeAll(async () => {
  await selectEngine('cpu');
});

beforeEach(async () => {
  addon = createStandIn();
  const commands = createCommands(addon);
  const memory = createDeviceMemory(addon, commands);
  tf.registerBackend(BACKEND, () => {
    backend = createCudaBackend(addon, memory);
    const [precision, kernel] = [() => 'highest' as const, () => 0];
    context = createKernelContext({
      ...{ addon, facts: FACTS, backend, commands, memory, precision, kernel, usesGraphs: false },
    });
    return backend;
  });
  for (const config of tf.getKernelsForBackend('cpu')) {
    if (tf.getKernel(config.kernelName, BACKEND) == null) tf.registerKernel({ ...config, backendName: BACKEND });
  }
  await tf.setBackend(BACKEND);
  return async () => {
    await tf.setBackend('cpu');
    tf.removeBackend(BACKEND);
  };
});

afterAll(async () => {
  await selectEngine('cpu');
});

describe('the cuda backend', () => {
  it('runs every kernel of the cpu backend on numbers that are on the device', () => {
    const x = onDevice([1, -2, 3, -4]);
    const y = tf.tidy(() => tf.sum(tf.relu(tf.add(x, 1))));
    expect(y.dataSync()[0]).toBe(6);
    expect(addon.copies).toEqual(['up 16', 'down 16']);
    tf.dispose([x, y]);
    expect(addon.allocations.size).toBe(0);
  });

  it('keeps its numbers to itself: arrays given and received are copies', async () => {
    for (const count of [3, 2 ** 15]) {
      const given = new Float32Array(count).fill(2);
      const x = tf.tensor1d(given);
      given[0] = 99;
      const received = x.dataSync();
      received[1] = 99;
      expect([...x.dataSync().slice(0, 3)]).toEqual([2, 2, 2]);
      expect([...(await x.data()).slice(0, 3)]).toEqual([2, 2, 2]);
      x.dispose();
    }
  });

  it('leaves small numbers on the host until a kernel asks for their address, and copies them once', () => {
    const ids = tf.tensor1d([4, 5, 6], 'int32');
    expect(tf.add(ids, tf.scalar(1, 'int32')).dataSync()).toEqual(Int32Array.of(5, 6, 7));
    expect(addon.copies).toEqual([]);
    const address = context.address(ids);
    expect(context.address(ids)).toBe(address);
    expect(addon.copies).toEqual(['up 12']);
  });

  it('converts the numbers of a tensor whose dtype alone was cast', () => {
    const cast = tf.cast(tf.tensor1d([1, 2, 3], 'int32'), 'float32');
    const read = new Float32Array(3);
    context.run(() => {
      addon.download(context.address(cast), read);
      return [];
    });
    expect(read).toEqual(Float32Array.of(1, 2, 3));
    expect(addon.allocations.size).toBe(0);
  });

  it('forgets the host copy when a kernel writes in place', () => {
    const x = tf.tensor1d([1, 2]);
    const view = tf.slice(x, [1], [1]);
    addon.upload(context.ownAddress(x), Float32Array.of(7, 8));
    expect([...x.dataSync()]).toEqual([7, 8]);
    expect([...view.dataSync()]).toEqual([2]);
    const shared = tf.reshape(x, [2, 1]);
    expect(() => context.ownAddress(x)).toThrow('expected numbers of a single tensor, got 2 sharing them');
    shared.dispose();
    expect(context.ownAddress(x)).toBe(context.address(x));
  });

  it('frees an allocation when the last of the tensors in it is disposed', () => {
    const [a, b] = context.run(() => context.adjacentOutputs([[3], [2, 2]])) as tf.TensorInfo[];
    expect(context.address(b)).toBe(context.address(a) + 12);
    expect([...addon.allocations.values()]).toEqual([28]);
    backend.disposeData(a.dataId);
    expect(addon.allocations.size).toBe(1);
    backend.disposeData(b.dataId);
    expect(addon.allocations.size).toBe(0);
  });

  it('frees what a kernel used only after its commands were sent', () => {
    let sentBefore: number | undefined;
    const free = addon.free;
    addon.free = (address) => {
      sentBefore = addon.executed();
      free(address);
    };
    context.run(() => {
      const between = context.output([4]);
      context.commands.fill(context.address(between), 16, 0);
      backend.disposeData(between.dataId);
      context.commands.fill(context.scratch(64), 64, 0);
      expect(addon.executed()).toBe(0);
      return [];
    });
    expect(sentBefore).toBe(1);
    expect(addon.allocations.size).toBe(0);
  });

  it('sends commands before numbers are read within a kernel', () => {
    context.run(() => {
      const output = context.output([4]);
      context.commands.fill(context.address(output), 16, 0);
      backend.numbers(output);
      expect(addon.executed()).toBe(1);
      return output;
    });
  });

  it('keeps nothing of a kernel that failed, nor of one within it', () => {
    const failing = (): tf.TensorInfo => {
      context.output([8]);
      context.scratch(8);
      throw new Error('failed');
    };
    expect(() => context.run(() => context.run(failing))).toThrow('failed');
    expect(addon.allocations.size).toBe(0);
  });

  it('says in one line how much it lacked when the card is full, and goes on', () => {
    addon.limit = 1000;
    const x = context.run(() => context.output([100])) as tf.TensorInfo;
    expect(() => context.run(() => context.output([2 ** 20]))).toThrow(RunError);
    expect(() => context.run(() => context.output([2 ** 20]))).toThrow(
      /expected room for 4\.0 MiB more, got a card of/,
    );
    backend.disposeData(x.dataId);
    expect(addon.allocations.size).toBe(0);
  });

  it('takes tensors over from another backend and gives them back', async () => {
    const numbers = normalNumbers(1, [37]);
    await tf.setBackend('cpu');
    const x = tf.tensor1d(numbers);
    await tf.setBackend(BACKEND);
    const y = tf.add(x, 1);
    await tf.setBackend('cpu');
    const z = tf.sub(y, 1);
    expect([...z.dataSync()].every((value, i) => Math.abs(value - numbers[i]) < 1e-6)).toBe(true);
    tf.dispose([x, y, z]);
  });

  it('holds strings and complex numbers as the cpu backend does', () => {
    tf.tidy(() => {
      expect(tf.tensor1d(['a', 'ü']).dataSync()).toEqual(['a', 'ü']);
      const spectrum = tf.fft(tf.complex(tf.tensor1d([1, 1]), tf.tensor1d([0, 0])));
      expect([...tf.real(spectrum).dataSync()]).toEqual([2, 0]);
    });
  });

  it('computes the absolute values of whole and of complex numbers', () => {
    tf.tidy(() => {
      expect([...tf.abs(tf.tensor1d([-3, 4], 'int32')).dataSync()]).toEqual([3, 4]);
      expect([...tf.abs(tf.complex(tf.tensor1d([3]), tf.tensor1d([4]))).dataSync()]).toEqual([5]);
    });
  });

  it('reports the bytes in use on the device', () => {
    const x = onDevice([1, 2, 3]);
    expect(tf.memory()).toMatchObject({ unreliable: false, device: { used: 12 } });
    x.dispose();
  });
});
