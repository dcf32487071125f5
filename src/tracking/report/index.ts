export { html, type SafeHtml } from './html.js';
export { htmlTable, type TableCell } from './htmlTable.js';
export { imageDataUri } from './imageDataUri.js';
export { type LineChart, lineChartSvg } from './lineChart.js';
export { ABSENT, formatCount, formatDuration, formatMetric, formatPerplexity, formatShare } from './numberFormat.js';
export { htmlPage, type PageSection } from './page.js';
export { pageStyles } from './pageStyles.js';
