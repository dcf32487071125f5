import type { Command, Program } from '#src/cli';
import { showWork } from '#src/tracking';
import { alignCommand } from './commands/align.js';
import { attachBridgeCommand } from './commands/attachBridge.js';
import { captionCommand } from './commands/caption.js';
import { compareCommand } from './commands/compare.js';
import { configCommand } from './commands/config.js';
import { convertCommand } from './commands/convert.js';
import { dataEmojiStylesCommand, dataOpenClipartCommand, dataStampsCommand } from './commands/dataPictures.js';
import { dataTextCommand } from './commands/dataText.js';
import { doctorCommand } from './commands/doctor.js';
import { evaluateCommand } from './commands/evaluate.js';
import { exportWebCommand } from './commands/exportWeb.js';
import { extractBridgeCommand } from './commands/extractBridge.js';
import { generateCommand } from './commands/generate.js';
import { groupsCommand } from './commands/groups.js';
import { growCommand } from './commands/grow.js';
import { initCommand } from './commands/init.js';
import { inspectCommand } from './commands/inspect.js';
import { mergeCommand } from './commands/merge.js';
import { parityCommand } from './commands/parity.js';
import { runCommand } from './commands/run.js';
import { runsCommand } from './commands/runs.js';
import { runsCompareCommand } from './commands/runsCompare.js';
import { runsSqlCommand } from './commands/runsSql.js';
import { runsWatchCommand } from './commands/runsWatch.js';
import { scenesCommand } from './commands/scenes.js';
import { scoreCommand } from './commands/score.js';
import { serveCommand } from './commands/serve.js';
import { serveParamsCommand } from './commands/serveParams.js';
import { shrinkCommand } from './commands/shrink.js';
import { splitParamsCommand } from './commands/splitParams.js';
import { studyCommand } from './commands/study.js';
import { tokenizerTrainCommand } from './commands/tokenizerTrain.js';
import { trainCommand } from './commands/train.js';
import { tuneCommand } from './commands/tune.js';
import { unmergeCommand } from './commands/unmerge.js';
import { applyVerifyOption, loadPlugins, PLUGIN_OPTIONS, packageVersion, VERIFY_OPTIONS } from './stages/index.js';

/** Shows the progress of a command's parts. */
const shown = (command: Command): Command => ({
  ...command,
  run: (args, output) => showWork(output, () => command.run(args, output)),
});

/** The command line: all commands, in the order of the work. */
export const PROGRAM: Program = {
  name: 'tokenfuse',
  version: packageVersion,
  summary: 'vision and language TokenFormers, pretrained separately, merged into one',
  commands: [
    doctorCommand,
    initCommand,
    configCommand,
    runCommand,
    scenesCommand,
    dataTextCommand,
    dataEmojiStylesCommand,
    dataStampsCommand,
    dataOpenClipartCommand,
    tokenizerTrainCommand,
    trainCommand,
    growCommand,
    shrinkCommand,
    tuneCommand,
    groupsCommand,
    mergeCommand,
    unmergeCommand,
    alignCommand,
    extractBridgeCommand,
    attachBridgeCommand,
    captionCommand,
    evaluateCommand,
    inspectCommand,
    scoreCommand,
    compareCommand,
    studyCommand,
    runsCommand,
    runsCompareCommand,
    runsSqlCommand,
    runsWatchCommand,
    generateCommand,
    serveCommand,
    splitParamsCommand,
    serveParamsCommand,
    parityCommand,
    convertCommand,
    exportWebCommand,
  ].map(shown),
  options: { ...PLUGIN_OPTIONS, ...VERIFY_OPTIONS },
  prepare: async (args) => {
    applyVerifyOption(args);
    await loadPlugins(args.texts('plugin'));
  },
};
