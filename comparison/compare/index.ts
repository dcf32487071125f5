export type { ComparedRun, RunGroup } from './comparedRuns.js';
export * from './compareRuns.js';
export { comparisonPage, PAGE_TITLE } from './comparisonPage.js';
export { duelText, groupText, shownNumber } from './comparisonText.js';
export { configDifferences } from './configDifferences.js';
export { curveCards, curveStyles } from './curveCards.js';
export { finalNumbers } from './finalNumbers.js';
