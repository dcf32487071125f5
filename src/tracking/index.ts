export { createProgress, type Progress, type ProgressOptions } from './progress.js';
export type { ProgressFigures } from './progressLine.js';
export * from './report/index.js';
export type { StepEntry } from './stepLines.js';
export { createTracker, listEventFiles, readMetrics, type Tracker, type TrackerOptions } from './tracker.js';
