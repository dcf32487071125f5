export * from './shrinkRun.js';
