import { generateText, loadLanguageModel } from '#language';
import type { Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { ENGINE_OPTIONS, startEngine } from '../engineOption.js';

/** `tokenfuse generate`: text from a language backbone. */
export const generateCommand: Command = {
  name: 'generate',
  summary: 'Continue a text with a language backbone; greedy unless a sampling option is given.',
  positionals: [
    { name: 'model', description: 'a language run directory or checkpoint' },
    { name: 'prompt', description: 'text to continue (default: none)', optional: true },
  ],
  options: {
    'max-tokens': { description: 'stop after so many tokens (default 64)', placeholder: 'n' },
    temperature: { description: 'divides the logits; below 1 sharpens', placeholder: 'x' },
    'top-k': { description: 'keep the k likeliest tokens', placeholder: 'k' },
    'top-p': { description: 'keep the likeliest tokens up to this mass', placeholder: 'p' },
    seed: { description: 'of the sampling (default 0)', placeholder: 'n' },
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const number = (name: string): number | undefined => {
      const text = args.text(name);
      if (text === undefined) return undefined;
      const value = Number(text);
      if (!Number.isFinite(value)) throw new ConfigError(`--${name}: expected a number, got '${text}'`);
      return value;
    };
    const sampling = Object.fromEntries(
      [
        ['temperature', number('temperature')],
        ['topK', number('top-k')],
        ['topP', number('top-p')],
      ].filter(([, value]) => value !== undefined),
    );
    const maxNewTokens = number('max-tokens') ?? 64;
    const seed = number('seed') ?? 0;
    await startEngine(args, output);
    const [path, prompt = ''] = args.positionals;
    const model = loadLanguageModel(path);
    const isGreedy = Object.keys(sampling).length === 0;
    const text = await generateText(model, prompt, { maxNewTokens, seed, ...(isGreedy ? {} : { sampling }) });
    model.dispose();
    output.line(`${prompt}${text}`);
    return { prompt, text };
  },
};
