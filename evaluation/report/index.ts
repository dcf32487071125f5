export { evaluationResults } from './evaluationResults.js';
export { type CaptionedThumbnail, mergeFigure } from './mergeFigure.js';
export { type MergePlanPicture, mergePlanPicture, type PictureGroup, type PictureLayer } from './mergePlanPicture.js';
export { mergePlanSvg } from './mergePlanSvg.js';
export type {
  GalleryItem,
  HashedTensor,
  HeadlineNumber,
  ParameterCount,
  ReportCheck,
  ReportCurves,
  ReportData,
  ReportHashes,
  ReportProvenance,
  ReportResultRow,
  ReportResults,
  ReportScore,
  ReportScores,
  ReportSummary,
} from './reportData.js';
export { thumbnail } from './thumbnail.js';
export { type EvaluationReport, evaluationReportHtml, writeEvaluationReport } from './writeEvaluationReport.js';
export { reportHtml, writeReport } from './writeReport.js';
