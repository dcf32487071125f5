export { type ConfigKey, configKeys } from './configKeys.js';
export { type ConfigValue, configValues } from './configValues.js';
export { expectation } from './expectation.js';
export { formerKeys, moveFormerKeys } from './formerKeys.js';
export * from './loadConfig.js';
export * from './parseFile.js';
export * from './renamedKey.js';
