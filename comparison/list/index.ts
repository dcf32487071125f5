export { type ListedRun, RUN_SORT_KEYS } from './chooseRuns.js';
export * from './listRuns.js';
export { runTable } from './runTable.js';
