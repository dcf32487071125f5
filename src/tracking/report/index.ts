export { type HtmlPart, html, type SafeHtml } from './html.js';
export { htmlTable, type TableCell, type TableColumn, type TableRow } from './htmlTable.js';
export { type EmbeddedImage, imageDataUri } from './imageDataUri.js';
export { type ChartSeries, type LineChart, lineChartSvg } from './lineChart.js';
export { ABSENT, formatCount, formatDuration, formatMetric, formatPerplexity, formatShare } from './numberFormat.js';
export { htmlPage, type Page, type PageSection } from './page.js';
export type { ChartPoint } from './thinPoints.js';
