export { evaluationResults } from './evaluationResults.js';
export { mergeFigure } from './mergeFigure.js';
export { type MergePlanPicture, mergePlanPicture, type PictureGroup, type PictureLayer } from './mergePlanPicture.js';
export { mergePlanSvg } from './mergePlanSvg.js';
export type { GalleryItem, ReportCurves, ReportData } from './reportData.js';
export { thumbnail, thumbnailIfReadable } from './thumbnail.js';
export { type EvaluationReport, evaluationReportHtml, writeEvaluationReport } from './writeEvaluationReport.js';
export { reportHtml, writeReport } from './writeReport.js';
