export * from './decodingOptions.js';
export * from './engineOptions.js';
export * from './experimentOptions.js';
export * from './groupOption.js';
export * from './prefixOption.js';
export * from './remoteOptions.js';
export * from './sparseOption.js';
export * from './wholeNumber.js';
