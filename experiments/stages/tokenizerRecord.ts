import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { readBpeModel } from '#language';
import { storedConfig } from '#src/config';
import { readJson, writeJsonAtomic } from '#src/storage';
import { TokenizerExperiment } from '../config/pipelineConfig.js';

/** Next to `tokenizer.json`: the experiment that trained it. */
const recordOf = (tokenizerPath: string): string => tokenizerPath.replace(/(\.json)?$/, '.experiment.json');

/** Stores the experiment that trained a tokenizer next to it. */
export function writeTokenizerRecord(experiment: TokenizerExperiment, tokenizerPath: string): void {
  writeJsonAtomic(recordOf(tokenizerPath), experiment);
}

/** Whether a tokenizer was trained by this experiment; of one without a record only the size of its vocabulary tells. */
export function isTokenizerOf(experiment: TokenizerExperiment, tokenizerPath: string): boolean {
  const record = recordOf(tokenizerPath);
  // Without the end-of-text token; training on little text gives fewer than were asked for.
  if (!existsSync(record)) return readBpeModel(tokenizerPath).tokens.length < experiment.vocabSize;
  return isDeepStrictEqual(
    storedConfig(readJson(record, 'tokenizer experiment'), TokenizerExperiment),
    JSON.parse(JSON.stringify(experiment)),
  );
}
