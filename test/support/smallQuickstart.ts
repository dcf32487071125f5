/** `--set` words that make the quickstart a matter of seconds; what it must reach is left out with its size. */
export const SMALL_QUICKSTART: readonly string[] = [
  ...['visionTrain=16', 'visionVal=8', 'languageTrain=120', 'languageVal=8', 'pairsTrain=12', 'pairsVal=6'],
  ...['testSeen=6', 'testHeldOut=5', 'testDisagreeSeen=6', 'testDisagreeHeldOut=6'],
]
  .map((count) => `scenes.scenes.counts.${count}`)
  .concat(
    ['vision', 'language', 'align'].flatMap((stage) =>
      ['steps=4', 'warmupSteps=1', 'batchSize=4', 'evaluateEvery=2', 'checkpointEvery=2'].map(
        (setting) => `${stage}.training.${setting}`,
      ),
    ),
    ['seen', 'held-out'].map((set) => `expect.objectAccuracy.${set}=0`),
    ['expect.shuffledAboveBlind=1', 'tokenizer.vocabSize=320', 'evaluate.bootstrapSamples=5'],
  )
  .flatMap((word) => ['--set', word]);
