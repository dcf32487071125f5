import {
  hashTextSource,
  type LanguageExperiment,
  openTextDataset,
  readTextDocuments,
  type TextBatch,
  type TextSource,
  type Tokenizer,
  textBatch,
  textSourceName,
} from '#language';
import { ConfigError, UserError } from '#src/errors';
import type { InspectedModel } from './inspectedModel.js';
import type { DataOptions, InspectedTexts, InspectionData, RunDataOptions } from './inspectionData.js';

/** Tokens of a text that the user names; longer ones are cut into several. */
const LONGEST_TEXT = 256;

/** The text that a language run is validated on. */
export function openRunText(
  model: InspectedModel,
  { data, seed }: LanguageExperiment,
  { root, cacheDir, limit }: RunDataOptions,
): InspectionData {
  const dataset = openTextDataset(data, languageOf(model).tokenizer, { cacheDir, baseDir: root, seed });
  const { validation } = dataset;
  if (validation === undefined) throw new UserError('data: expected validationFiles or validationShare, got neither');
  const count = Math.min(limit, validation.size);
  return {
    texts: {
      source: (data.validationFiles ?? data.files).map(textSourceName).join(', '),
      count,
      batches: function* (batchSize) {
        let first = 0;
        for (const text of dataset.validationBatches(Math.min(batchSize, count))) {
          if (first >= count) return;
          yield { first, text: firstRows(text, count - first) };
          first += text.batch;
        }
      },
    },
    close: dataset.dispose,
  };
}

/** At most so many rows of a batch. */
function firstRows(text: TextBatch, most: number): TextBatch {
  if (text.batch <= most) return text;
  const { tokenIds, labels, seqLen, lengths } = text;
  const kept = lengths.subarray(0, most);
  return {
    ...{ batch: most, seqLen, lengths: kept, numTokens: kept.reduce((sum, length) => sum + length, 0) },
    ...{ tokenIds: tokenIds.subarray(0, most * seqLen), labels: labels.subarray(0, most * seqLen) },
  };
}

/** Reads as many documents as the limit takes, each cut into texts that begin with the end-of-text token. */
export function readNamedTexts(model: InspectedModel, { texts, limit }: DataOptions): InspectedTexts {
  const { tokenizer, config } = languageOf(model);
  const length = Math.min(config.seqLen, LONGEST_TEXT);
  const rows: Int32Array[] = [];
  for (const source of texts) {
    hashTextSource(source);
    readRows(source, tokenizer, length, limit, rows);
  }
  const source = texts.map(textSourceName).join(', ');
  if (rows.length === 0) throw new UserError(`${source}: expected text, got none`);
  return {
    source,
    count: rows.length,
    batches: function* (batchSize) {
      for (let first = 0; first < rows.length; first += batchSize) {
        const batch = rows.slice(first, first + batchSize);
        const width = Math.max(...batch.map((row) => row.length - 1));
        yield { first, text: textBatch(batch, width, tokenizer.endOfTextId) };
      }
    },
  };
}

function readRows(source: TextSource, tokenizer: Tokenizer, length: number, limit: number, rows: Int32Array[]): void {
  const end = tokenizer.endOfTextId;
  for (const document of readTextDocuments(source, { documents: 'file', field: 'text' })) {
    let ids: number[] = [];
    const cut = (): void => {
      // The last token of a row is only a label.
      if (ids.length > 0 && rows.length < limit) rows.push(Int32Array.of(end, ...ids.splice(0, length - 1), end));
    };
    for (const piece of document) {
      ids = ids.concat([...tokenizer.encode(piece)]);
      while (ids.length >= length - 1 && length > 1 && rows.length < limit) cut();
      if (rows.length >= limit) return;
    }
    cut();
  }
}

function languageOf({ language, kind }: InspectedModel): NonNullable<InspectedModel['language']> {
  if (language === undefined) throw new ConfigError(`--text: has no effect on a ${kind} model, which reads no text`);
  return language;
}
