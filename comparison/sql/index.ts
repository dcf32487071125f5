export { type QueryRows, queryRuns } from './queryRuns.js';
export { schemaText } from './schema.js';
