import {
  type FusedKernelFunctions,
  type KernelAttributes,
  type KernelInputs,
  rotaryTables,
  type tf,
} from '../../shared/index.js';
import { tensorArithmetic } from './arithmetic.js';
import { encodeAttentionDecode } from './attention.js';
import type { KernelContext } from './context.js';
import { MAX_STAGE_GROUPS, NORM_ACTIVATIONS } from './fusedKernels.js';
import { floatBits } from './numbers.js';
import { recorded } from './recording.js';
import { encodeLayerNorm, encodeTheta } from './rowCommands.js';

/** As in source/decode.cu. */
const ROWS_AT_ONCE = 8;
const CHUNK = 32;
const THREADS = 256;
const WARPS = THREADS / 32;

/** A group of a stage: the output that it adds to, and whether it reads the second input. */
interface DecodeGroup {
  readonly keys: tf.TensorInfo;
  readonly values: tf.TensorInfo;
  readonly tau: number;
  readonly scale: number;
  readonly isLinear: boolean;
  readonly output: number;
  readonly isSecond: boolean;
}

/** What the commands of a step depend on, besides shapes: nothing in it changes from token to token. */
type StepAttributes = Omit<KernelAttributes<'DecodeBlocks'>, 'past'> & {
  /** Factor of each group: tanh of its gate, or 1. */
  readonly scales: readonly number[];
};

/** Inputs of a step; `step` has the position, and what the rotation needs of it (source/decode.cu). */
type StepInputs = Omit<KernelInputs<'DecodeBlocks'>, 'gates'> & { readonly step: tf.TensorInfo };

/** `DecodeBlocks`, as src/tokenformer/decodeStack defines it; the caches are written in place. */
export function decodeKernels(context: KernelContext): FusedKernelFunctions<'DecodeBlocks'> {
  const { backend } = context;
  const tables = rotaryTables();
  const { step: run } = recorded(context, stepKernel, ['x', 'step']);
  return {
    DecodeBlocks: ({ gates, ...inputs }, { past, ...attributes }) => {
      const half = attributes.rotaryDims / 2;
      const step = new Float32Array(2 * half + 2);
      if (half > 0) step.set(tables(1, half, past, attributes.rotaryBase, 1));
      new Int32Array(step.buffer).set([past, past + 1], 2 * half);
      const place = backend.makeTensorInfo([step.length], 'float32', step);
      const scales = gates.map((gate) => (gate === undefined ? 1 : Math.tanh(backend.numbers(gate)[0])));
      for (const cache of [...inputs.cacheKeys, ...inputs.cacheValues]) context.ownAddress(cache);
      try {
        return run({ ...inputs, step: place }, { ...attributes, scales });
      } finally {
        backend.disposeData(place.dataId);
      }
    },
  };
}

/** The commands of a step. */
function stepKernel(context: KernelContext): { step(inputs: StepInputs, attributes: StepAttributes): [tf.TensorInfo] } {
  const { address, commands, kernel, output } = context;
  return {
    step: (inputs, attributes) => {
      const { x, keys, values, contextKeys, contextValues, contextGates, cacheKeys, cacheValues } = inputs;
      const { numHeads, rotaryDims, epsilon, layerNormEpsilon, taus, linear, scales } = attributes;
      const [rows, , width] = x.shape;
      const arithmetic = tensorArithmetic({ precision: () => 'highest' });
      const theta = {
        ...{ mode: NORM_ACTIVATIONS.indexOf(attributes.normActivation), isTanh: attributes.gelu === 'tanh', epsilon },
      };
      const headDim = width / numHeads;
      const half = rotaryDims / 2;
      const capacity = cacheKeys[0].shape[1];
      const contextLen = contextKeys.length === 0 ? 0 : contextKeys[0].shape[1];
      const bytes = rows * width * 4;
      const hidden = output(x.shape);
      const state = address(hidden);
      const [normed, query, attended, fromContext] = [0, 1, 2, 3].map(() => context.scratch(bytes));
      const deviations = context.scratch(rows * 4);
      const step = address(inputs.step);
      const columnBlocks = Math.ceil(width / THREADS);

      /** What a stage's groups give of an input, chunk by chunk: the argument of the kernels that add the chunks up. */
      function run(groups: readonly DecodeGroup[], input: number, second: number) {
        const ints = new Int32Array(2 * (MAX_STAGE_GROUPS + 1) + 3 * MAX_STAGE_GROUPS);
        const [first, chunk] = [0, MAX_STAGE_GROUPS + 1];
        const [outputs, scales, seconds] = [0, 1, 2].map((i) => 2 * (MAX_STAGE_GROUPS + 1) + i * MAX_STAGE_GROUPS);
        for (const [i, group] of groups.entries()) {
          const n = group.keys.shape[0];
          ints[first + i + 1] = ints[first + i] + n;
          ints[chunk + i + 1] = ints[chunk + i] + Math.ceil(n / CHUNK);
          ints[outputs + i] = group.output;
          ints[scales + i] = floatBits(group.scale);
          ints[seconds + i] = group.isSecond ? 1 : 0;
        }
        const columns = ints[first + groups.length];
        const chunks = ints[chunk + groups.length];
        const stride = Math.ceil(columns / 4) * 4;
        const matrices = (tensors: readonly tf.TensorInfo[]) => ({
          addresses: Array.from({ length: MAX_STAGE_GROUPS }, (_, i) => (tensors[i] ? address(tensors[i]) : 0)),
        });
        const scores = context.scratch(rows * stride * 4);
        const partial = context.scratch(chunks * rows * width * 4);
        const rowBlocks = Math.ceil(rows / ROWS_AT_ONCE);
        const sizes = [{ int: rows }, { int: width }];
        const grid = [Math.ceil(columns / WARPS), rowBlocks] as const;
        commands.launch(kernel('decode_scores'), { grid, threads: THREADS }, [
          ...[{ address: input }, { address: second }, matrices(groups.map((group) => group.keys)), { ints }],
          ...[{ int: groups.length }, { address: scores }, { int: stride }, ...sizes],
        ]);
        const normed = groups.flatMap(({ isLinear, tau }, i) =>
          isLinear ? [] : [{ start: ints[first + i], length: ints[first + i + 1] - ints[first + i], tau }],
        );
        const places = { scores, weights: scores };
        encodeTheta(context, arithmetic, { rows, stride, groups: normed }, theta, places);
        commands.launch(kernel('decode_values'), { grid: [chunks, rowBlocks, columnBlocks], threads: THREADS }, [
          ...[{ address: scores }, { int: stride }, matrices(groups.map((group) => group.values)), { ints }],
          ...[{ int: groups.length }, { address: partial }, ...sizes],
        ]);
        return [{ address: partial }, { ints }, { int: groups.length }] as const;
      }
      const normalize = (from: number, copy?: number): void =>
        encodeLayerNorm(context, arithmetic, { rows, width }, layerNormEpsilon, {
          ...{ x: from, normalized: normed, inverseDeviation: deviations, copy },
        });
      const add = (groups: readonly DecodeGroup[], input: number, second: number): void => {
        const sums = run(groups, input, second);
        commands.launch(kernel('decode_add'), { grid: [rows, columnBlocks], threads: THREADS }, [
          ...[...sums, { address: state }, { int: rows }, { int: width }],
        ]);
      };

      let end = 0;
      const layers = attributes.groupsOfLayers.map((count, layer) => {
        end += count;
        return Array.from({ length: count }, (_, i): DecodeGroup => {
          const place = end - count + i;
          const kind = layer % 6;
          return {
            ...{
              keys: keys[place],
              values: values[place],
              tau: taus[place],
              scale: scales[place],
              isLinear: linear[place],
            },
            ...{ output: kind < 3 ? kind : 0, isSecond: kind === 4 },
          };
        });
      });
      for (const [b, cache] of cacheKeys.entries()) {
        const [toQuery, toKey, toValue, toOutput, toContextOutput, ffn] = layers.slice(6 * b, 6 * (b + 1));
        normalize(b === 0 ? address(x) : state, b === 0 ? state : undefined);
        const sums = run([...toQuery, ...toKey, ...toValue], normed, normed);
        const [ofKeys, ofValues] = [address(cache), address(cacheValues[b])];
        commands.launch(kernel('decode_project'), { grid: [rows, 3, columnBlocks], threads: THREADS }, [
          ...[...sums, { address: query }, { address: ofKeys }, { address: ofValues }, { address: step }],
          ...[{ int: half }, { int: headDim }, { int: rows }, { int: width }, { int: capacity }],
        ]);
        encodeAttentionDecode(context, {
          ...{ q: query, out: attended, rows, numHeads, headDim, capacity, contextLen },
          ...{ keys: ofKeys, values: ofValues, length: capacity, lengthAddress: step + (rotaryDims + 1) * 4 },
          ...(contextLen > 0
            ? {
                ...{ contextKeys: address(contextKeys[b]), contextValues: address(contextValues[b]) },
                ...{ contextGates: contextGates.length > 0 ? address(contextGates[b]) : 0, contextOut: fromContext },
              }
            : {}),
        });
        add([...toOutput, ...toContextOutput], attended, fromContext);
        normalize(state);
        add(ffn, normed, normed);
      }
      return [hidden];
    },
  };
}
