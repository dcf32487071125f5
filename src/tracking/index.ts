export { createProgress, type ProgressOptions } from './progress.js';
export * from './report/index.js';
export { createTracker, listEventFiles, readMetrics, type Tracker } from './tracker.js';
