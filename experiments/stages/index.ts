export { type ChildResult, takeThreadsFromParent } from './childProcess.js';
export { commandStage } from './commandStage.js';
export { experimentStage, type StageExperiment, type StagePlaces, type StageSetup } from './experimentStage.js';
export { packageRoot, packageVersion } from './packageRoot.js';
export { loadPlugins, PLUGIN_OPTIONS } from './plugins.js';
export { runStages } from './runStages.js';
export type { Stage, StageContext } from './stage.js';
export { writeTokenizerRecord } from './tokenizerRecord.js';
export { applyVerifyOption, VERIFY_OPTIONS } from './verifyOption.js';
