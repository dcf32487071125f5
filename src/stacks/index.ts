export * from './config.js';
export * from './growth.js';
export * from './growthConfig.js';
export * from './multiplyAdds.js';
export * from './stack.js';
export * from './stackGrowth.js';
