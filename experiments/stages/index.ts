export { type ChildResult, takeThreadsFromParent } from './childProcess.js';
export { experimentStage, type StagePlaces, type StageSetup } from './experimentStage.js';
export { packageRoot } from './packageRoot.js';
export { loadPlugins, PLUGIN_OPTIONS } from './plugins.js';
export { runStages } from './runStages.js';
export type { Stage } from './stage.js';
export { writeTokenizerRecord } from './tokenizerRecord.js';
export { applyVerifyOption, VERIFY_OPTIONS } from './verifyOption.js';
