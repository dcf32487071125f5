/** The studies whose records are kept in experiments/records/ and whose tables are in experiments/RESULTS.md; paths from experiments/. */
export const STUDIES = [
  'fusion-study/study.yaml',
  'fusion-study/emoji.yaml',
  'relations/study.yaml',
  'few-pairs/study.yaml',
  'real-pictures/study.yaml',
  'bridge-matrix/study.yaml',
  'scaling/ladder.yaml',
  'scaling/optimizer.yaml',
  'scaling/large.yaml',
  'scaling/vision.yaml',
  'scaling/merged.yaml',
  'vision-objectives/sweep.yaml',
];
