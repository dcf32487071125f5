/** @file A run with teachers in a process of its own, to be killed: `teacherChild.js <folder of images> <run directory> <fresh|resume>`. */
import { join } from 'node:path';
import { selectEngine } from '#src/engine';
import { trainVision } from '#vision';
import { recordedOutput } from '../support/streams.js';
import { taughtExperiment } from '../support/taughtRun.js';

const [root, runDir, start] = process.argv.slice(2);
await selectEngine('wasm');
const experiment = taughtExperiment({}, { steps: 60, checkpointEvery: 10, evaluateEvery: 25 });
const cacheDir = join(root, 'cache');
await trainVision(experiment, { root, runDir, cacheDir, resume: start === 'resume', output: recordedOutput() });
