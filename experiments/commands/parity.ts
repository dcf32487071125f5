import { languageModelParity, pattentionParity } from '#language';
import { type Command, renderTable } from '#src/cli';
import { ConfigError } from '#src/errors';
import { ENGINE_OPTIONS, startEngine } from '../options/index.js';

/** `tokenfuse parity`: how a user checks our numbers against another implementation's. */
export const parityCommand: Command = {
  name: 'parity',
  summary: 'Compare outputs and gradients with stored ones; exit code 1 beyond the tolerance',
  details:
    'A model: weights under official names (metadata h, act, rot, seq) and expected input_ids, logits, loss, hidden.N, grad.<name>. One Pattention: a single file with x, key, value, dy, y, dx, dkey, dvalue (metadata act).',
  positionals: [
    { name: 'weights.safetensors', description: 'the model, or the single Pattention' },
    { name: 'expected.safetensors', description: 'what the model should give', optional: true },
  ],
  options: {
    tolerance: { description: 'largest relative error per tensor (default 2e-5)', placeholder: 'number' },
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const tolerance = Number(args.text('tolerance') ?? '2e-5');
    if (!(tolerance > 0))
      throw new ConfigError(`--tolerance: expected a number above 0, got '${args.text('tolerance')}'`);
    const engine = await startEngine(args, output);
    const [weights, expected] = args.positionals;
    const tensors = await (expected === undefined ? pattentionParity(weights) : languageModelParity(weights, expected));
    const rows = tensors.map(({ name, shape, relativeError }) => [
      name,
      `[${shape}]`,
      relativeError.toExponential(2),
      relativeError <= tolerance ? 'ok' : 'PAST',
    ]);
    output.line(renderTable(['tensor', 'shape', 'relative error', ''], rows));
    const worst = Math.max(...tensors.map(({ relativeError }) => relativeError));
    const passed = worst <= tolerance;
    output.line(`${tensors.length} tensors, largest relative error ${worst.toExponential(2)}, tolerance ${tolerance}`);
    return { passed, tolerance, worst, engine, tensors };
  },
};
