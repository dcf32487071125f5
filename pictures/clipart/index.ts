export { type OpenClipartOptions, openClipart } from './openClipart.js';
