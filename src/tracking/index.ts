export type { Observation, ObservedImage } from './observation.js';
export { createProgress, type Pace, type Progress, type ProgressOptions } from './progress.js';
export { formatFigure, isProgressText } from './progressLine.js';
export * from './report/index.js';
export { writeScoreEvents } from './scoreEvents.js';
export { parseEntry, type StepEntry } from './stepLines.js';
export { createTracker, listEventFiles, readMetrics, type Tracker } from './tracker.js';
export { showWork, startWork } from './work.js';
