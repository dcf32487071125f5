/** `--set` words that make every stage of an experiment for a user's own data tiny. */
export function tinySizes(): string[] {
  const stack = { dModel: 16, numLayers: 1, numHeads: 2, qkvParamTokens: 8, outputParamTokens: 8, ffnParamTokens: 16 };
  const training = { steps: 4, warmupSteps: 1, batchSize: 8, evaluateEvery: 2, checkpointEvery: 2 };
  const words = [
    ...['vision', 'language', 'align'].flatMap((stage) =>
      Object.entries(training).map(([key, value]) => `${stage}.training.${key}=${value}`),
    ),
    ...['vision.model.stack', 'language.model.stack'].flatMap((path) =>
      Object.entries(stack).map(([key, value]) => `${path}.${key}=${value}`),
    ),
    ...['vision.model.imageSize=16', 'tokenizer.vocabSize=280', 'merge.fusion.bridge.tokens=4'],
    ...['evaluate.bootstrapSamples=5', 'evaluate.report.examples=0', 'evaluate.controls.randomVision=false'],
  ];
  return words.flatMap((word) => ['--set', word]);
}
