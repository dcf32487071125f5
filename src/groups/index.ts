export * from './attachGroup.js';
export * from './backboneHash.js';
export * from './groupFile.js';
export * from './runTuning.js';
export * from './taskGroups.js';
