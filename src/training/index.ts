export * from './adamW.js';
export * from './checkpoint.js';
export * from './config.js';
export * from './runDirectory.js';
export * from './runTraining.js';
export * from './schedule.js';
export * from './trainingTask.js';
export * from './trainStep.js';
