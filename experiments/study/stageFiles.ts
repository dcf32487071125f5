import { createHash } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import type { MatmulPrecision } from '#src/engine';
import { type ExperimentKind, parseExperimentOf } from '../config/parseExperiment.js';
import type { StudyExperiment } from '../config/studyConfig.js';

type StageKind = ExperimentKind & keyof StudyExperiment;

/**
 * Paths of the stages' files, each read and checked with every row's changes before anything runs, and the precisions that
 * training asks for. `digest` is the SHA-256 of what the files say, comments and layout aside: scores of different digests are
 * not of one study.
 */
export function stageFiles(study: StudyExperiment, path: string) {
  const folder = dirname(resolve(path));
  const precisions: MatmulPrecision[] = [];
  const digest = createHash('sha256');
  const read = (kind: StageKind, overrides: readonly string[] = [], key = '') => {
    const file = join(folder, study[kind] as string);
    const experiment = parseExperimentOf(file, [kind], overrides, (word) => `${path}: ${key}: ${word}`);
    if ('training' in experiment) precisions.push(experiment.training.matmulPrecision);
    return { file, experiment };
  };
  const own = (kind: StageKind): string => {
    const { file, experiment } = read(kind);
    digest.update(JSON.stringify(experiment));
    return file;
  };
  for (const [i, { merge, align }] of study.rows.entries()) {
    read('merge', merge, `rows.${i}.merge`);
    if (align !== false) read('align', align, `rows.${i}.align`);
  }
  read('evaluate', study.withoutControls, 'withoutControls');
  const files = {
    ...(study.scenes === undefined ? {} : { scenes: own('scenes') }),
    tokenizer: own('tokenizer'),
    vision: own('vision'),
    language: own('language'),
    merge: own('merge'),
    align: own('align'),
    evaluate: own('evaluate'),
  };
  return { files, precisions, digest: digest.digest('hex') };
}
