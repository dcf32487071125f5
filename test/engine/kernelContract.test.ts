import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ENGINES,
  type EngineName,
  FUSED_KERNEL_NAMES,
  type FusedKernel,
  type KernelSupport,
  selectEngine,
  tf,
} from '#src/engine';
import {
  type PattentionGroup,
  type PattentionSettings,
  pattention,
  pattentionGroups,
  pattentionReference,
  runFastKernel,
} from '#src/kernels';
import { createStack, ParameterTree, runStack, TokenFormerConfig } from '#src/tokenformer';
import { addon, normalNumbers } from '../support/kernelComparison.js';
import { oneGroupBlock } from '../support/oneGroupBlock.js';

const withKernels = (['wasm', 'native'] as const).filter((name) => name === 'wasm' || addon !== undefined);

const registered = (backend: string): string[] => tf.getKernelsForBackend(backend).map(({ kernelName }) => kernelName);

describe.each(withKernels)('engine %s', (name) => {
  it('has exactly the fused kernels that it declares, and none beyond the contract', async () => {
    await selectEngine(name);
    const stock = new Set([...registered('cpu'), 'LogicalXor']); // the second is TensorFlow.js' own on wasm
    const own = registered(name).filter((kernel) => !stock.has(kernel));
    expect(own.sort()).toEqual(Object.keys(ENGINES[name].fusedKernels).sort());
    expect(own.filter((kernel) => !FUSED_KERNEL_NAMES.includes(kernel as FusedKernel))).toEqual([]);
  });
});

const settings: Omit<PattentionSettings, 'tau'> = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 1e-5 };

/** A pass through everything that knows a Θ: Pattention, its groups, a block, a decoding step; with gradients. */
function passes(): number[][] {
  return tf.tidy(() => {
    const tensor = (seed: number, ...shape: number[]): tf.Tensor => tf.tensor(normalNumbers(seed, shape), shape);
    const x = tensor(1, 5, 8) as tf.Tensor2D;
    const group = (seed: number): PattentionGroup => ({
      keyParamTokens: tensor(seed, 6, 8) as tf.Tensor2D,
      valueParamTokens: tensor(seed + 1, 6, 8) as tf.Tensor2D,
      tau: 2.5,
      trainable: true,
    });
    const [first, second] = [group(2), group(4)];
    const one = (input: tf.Tensor): tf.Tensor =>
      pattention(input as tf.Tensor2D, first.keyParamTokens, first.valueParamTokens, { ...settings, tau: first.tau });
    const several = (input: tf.Tensor): tf.Tensor => pattentionGroups(input as tf.Tensor2D, [first, second], settings);
    const config = TokenFormerConfig.parse({
      ...{ dModel: 8, numLayers: 2, numHeads: 2, qkvParamTokens: 6, outputParamTokens: 6, ffnParamTokens: 6 },
      rotaryShare: 0.5,
    });
    const tree = new ParameterTree(createStack('own', config, 3));
    const blocks = [0, 1].map((index) => oneGroupBlock(tree, 'own', index));
    const mask = { kind: 'causal' } as const;
    const sequence = tensor(6, 2, 3, 8) as tf.Tensor3D;
    const stack = (input: tf.Tensor): tf.Tensor => runStack(input as tf.Tensor3D, blocks, config, { mask }).hidden;
    const { caches } = runStack(sequence, blocks, config, { mask, keepCaches: true });
    const next = runStack(tensor(7, 2, 1, 8) as tf.Tensor3D, blocks, config, { mask, caches }).hidden;
    const results = [
      ...[one, several].flatMap((compute) => [compute(x), tf.grad(compute)(x)]),
      ...[stack(sequence), tf.grad(stack)(sequence), next],
    ].map((result) => [...result.dataSync()]);
    tree.dispose();
    return results;
  });
}

/** Names of the fused kernels that ran on the engine at work. */
async function kernelsOf(name: EngineName, compute: () => void): Promise<string[]> {
  await selectEngine(name);
  const { kernelNames } = await tf.profile(compute);
  return kernelNames.filter((kernel) => FUSED_KERNEL_NAMES.includes(kernel as FusedKernel));
}

const THETA_KERNELS: readonly FusedKernel[] = [
  ...(['Pattention', 'PattentionGrad', 'PattentionGroups', 'PattentionGroupsGrad'] as const),
  ...(['TokenFormerBlock', 'TokenFormerBlockGrad', 'DecodeBlocks'] as const),
];

describe.each(withKernels)('a Θ that engine %s has no code for', (name) => {
  let lines: string[] = [];

  /** Has the engine's kernels answer that about every Θ. */
  function answer(support: KernelSupport): void {
    for (const kernel of THETA_KERNELS) {
      const declared = ENGINES[name].fusedKernels[kernel] as { supports(): KernelSupport } | undefined;
      if (declared !== undefined) vi.spyOn(declared, 'supports').mockReturnValue(support);
    }
  }

  beforeEach(() => {
    lines = [];
    vi.spyOn(console, 'warn').mockImplementation((line) => lines.push(line));
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('runs by reference, with the same numbers', async () => {
    const fast: number[][] = [];
    const slow: number[][] = [];
    const before = await kernelsOf(name, () => void fast.push(...passes()));
    answer({ lacks: "normActivation 'declined'" });
    const after = await kernelsOf(name, () => void slow.push(...passes()));
    const declared = THETA_KERNELS.filter((kernel) => ENGINES[name].fusedKernels[kernel] !== undefined);
    expect(before).toEqual(expect.arrayContaining(declared.filter((kernel) => kernel !== 'Pattention')));
    expect(after.filter((kernel) => declared.some((each) => each === kernel))).toEqual([]);
    expect(after).toEqual(expect.arrayContaining(['LayerNormalize', 'TokenAttention', 'TokenAttentionGrad']));
    for (const [i, numbers] of slow.entries()) {
      expect(numbers).toHaveLength(fast[i].length);
      for (const [j, value] of numbers.entries()) expect(value).toBeCloseTo(fast[i][j], 4);
    }
  });

  it('is said once', async () => {
    await selectEngine(name);
    answer({ lacks: `normActivation 'said ${name}'` });
    for (let i = 0; i < 2; i++) passes();
    expect(lines).toEqual([
      `engine ${name} has no kernel for normActivation 'said ${name}': it runs by reference, slower`,
    ]);
  });

  it('is any that is not in its list', () => {
    const attributes = { ...settings, normActivation: 'mine', tau: 1 };
    const supports = ENGINES[name].fusedKernels.Pattention?.supports;
    expect(supports?.(attributes)).toEqual({ lacks: "normActivation 'mine'" });
    for (const normActivation of ENGINES[name].normActivations) {
      expect(supports?.({ ...attributes, normActivation })).toBe(true);
    }
  });

  it('is no news where a kernel declines silently', async () => {
    await selectEngine(name);
    answer(false);
    const [x, keys, values] = [3, 4, 4].map((rows, i) => tf.tensor2d(normalNumbers(i, [rows, 4]), [rows, 4]));
    const all = { ...settings, tau: 2 };
    const expected = pattentionReference(x, keys, values, all).output.dataSync();
    expect(pattention(x, keys, values, all).dataSync()).toEqual(expected);
    expect(lines).toEqual([]);
  });
});

it('the contract is checked by the compiler', () => {
  const x = tf.ones([1, 2]);
  const callsThatDoNotCompile = [
    // @ts-expect-error an input of another name
    () => runFastKernel('LayerNormalize', { input: x }, { epsilon: 1e-5 }),
    // @ts-expect-error an attribute of another name
    () => runFastKernel('LayerNormalize', { x }, { eps: 1e-5 }),
    // @ts-expect-error a list of tensors where one is expected
    () => runFastKernel('LayerNormalize', { x: [x] }, { epsilon: 1e-5 }),
    // @ts-expect-error a kernel that is not in the map
    () => runFastKernel('BatchNormalize', { x }, { epsilon: 1e-5 }),
  ];
  expect(callsThatDoNotCompile).toHaveLength(4);
});
