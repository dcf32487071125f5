export { inspectionPage } from './inspectionPage.js';
export { INSPECTION_PAGE, writeInspection } from './writeInspection.js';
