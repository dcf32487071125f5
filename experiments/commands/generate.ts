import { generateText, loadLanguageModel } from '#language';
import type { Command } from '#src/cli';
import { DECODING_OPTIONS, decodingOf, ENGINE_OPTIONS, startEngine } from '../options/index.js';

/** `tokenfuse generate`: text from a language backbone. */
export const generateCommand: Command = {
  name: 'generate',
  summary: 'Continue a text with a language backbone: greedy, by beam search, or sampled',
  positionals: [
    { name: 'model', description: 'a language run directory or checkpoint' },
    { name: 'prompt', description: 'text to continue (default: none)', optional: true },
  ],
  options: { ...DECODING_OPTIONS, ...ENGINE_OPTIONS },
  run: async (args, output) => {
    const decoding = decodingOf(args);
    await startEngine(args, output);
    const [path, prompt = ''] = args.positionals;
    const model = loadLanguageModel(path);
    const candidates = await generateText(model, prompt, decoding);
    model.dispose();
    for (const { text } of candidates) output.line(`${prompt}${text}`);
    return { prompt, decoding, text: candidates[0].text, candidates };
  },
};
