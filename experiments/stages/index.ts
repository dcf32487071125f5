export { type ChildResult, followParent } from './childProcess.js';
export { experimentStage, type StagePlaces, type StageSetup } from './experimentStage.js';
export { runStages } from './runStages.js';
export type { Stage } from './stage.js';
