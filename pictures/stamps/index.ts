export { type StampsOptions, stamps } from './stamps.js';
