export {
  compareRuns,
  comparisonPage,
  configDifferences,
  duelText,
  finalNumbers,
  groupText,
  PAGE_TITLE,
} from './compare/index.js';
export { listRuns, RUN_SORT_KEYS, runTable } from './list/index.js';
export { RUN_KINDS, RUN_STATES } from './reading/index.js';
export { queryRuns, schemaText } from './sql/index.js';
export { serveWatch } from './watch/index.js';
