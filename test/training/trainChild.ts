/** @file A training run in a process of its own, to be killed: `trainChild.js <run directory> <fresh|resume> <milliseconds per step>`. */
import { selectEngine } from '#src/engine';
import { tinyLanguageTree } from '../support/tinyLanguageModel.js';
import { tinyLanguageTask, train } from '../support/tinyTraining.js';

const [runDir, start, pause] = process.argv.slice(2);
await selectEngine('wasm');
const task = tinyLanguageTask(tinyLanguageTree());
const wait = new Int32Array(new SharedArrayBuffer(4));
const slow = {
  ...task,
  unitsIn: (index: number): number => {
    Atomics.wait(wait, 0, 0, Number(pause));
    return task.unitsIn(index);
  },
};
await train(slow, runDir, { steps: 24, checkpointEvery: 4, evaluateEvery: 7 }, { resume: start === 'resume' });
