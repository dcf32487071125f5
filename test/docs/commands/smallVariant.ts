import { PROGRAM } from '#experiments';
import { SMALL_QUICKSTART } from '../../support/smallQuickstart.js';
import { tinySizes } from '../../support/tinySizes.js';
import { splitWords } from './splitWords.js';
import { SMALL_TUNE } from './workshop.js';

/** Why a command of the docs is parsed only. */
const PARSED_ONLY: readonly (readonly [command: RegExp, reason: string])[] = [
  [
    /^(apt-get|npm (ci|install|pack)|python3|cd|mkdir|c\+\+|npx (?!tokenfuse)|TF=|.*\bpip )/,
    'installs something, or is of another program',
  ],
  [/^npm (test|run (build|test:))/, 'is the test command, or one of the long ones'],
  [
    /^(npm run (quickstart|bench|bundle|readme)|bash bench|node .*dist\/bench|perf|valgrind)/,
    'measures, for minutes or more',
  ],
  [/\bvitest\b|--engine (cuda|webgpu)/, 'is for a GPU'],
  [/tokenfuse data (emoji-styles|stamps|openclipart)/, 'draws from packages that are not installed'],
  [/experiments\/flickr/, 'takes data that must be asked for'],
  [/tokenfuse study/, 'takes minutes; tests run small studies'],
];

/** Commands that do not end by themselves. */
const SERVERS: readonly string[] = ['serve', 'serve-params', 'runs watch'];

/** A command that is run. */
export interface SmallCommand {
  readonly command: string;
  /** It goes on until the commands of its page are done. */
  readonly isServer: boolean;
}

/** The command in a size for seconds, or why it is not run. */
export function smallVariant(command: string): SmallCommand | string {
  const reason = PARSED_ONLY.find(([pattern]) => pattern.test(command))?.[1];
  if (reason !== undefined) return reason;
  const words = splitWords(command.replace(/^npx /, '')).slice(1);
  const [{ name: verb, options }] = PROGRAM.commands
    .filter(({ name }) => `${words.join(' ')} `.startsWith(`${name} `))
    .sort((a, b) => b.name.length - a.name.length);
  const sizes = [
    ...(verb === 'run' ? [tinySizes().join(' ')] : []),
    ...(verb === 'scenes' ? [scenesSizes()] : []),
    ...(verb === 'tune' ? [SMALL_TUNE] : []),
    ...(verb === 'align' ? ['--set training.steps=4 --set training.warmupSteps=1 --set training.batchSize=4'] : []),
    ...(verb === 'evaluate' ? ['--set bootstrapSamples=5'] : []),
    // Examples of a page write to one place, as its readers would not.
    ...('overwrite' in options && verb !== 'run' ? ['--overwrite'] : []),
  ];
  const first = verb === 'init' ? `rm -rf ${words[1]}; ` : '';
  return { command: `${first}${[command, ...sizes].join(' ')}`, isServer: SERVERS.includes(verb) };
}

function scenesSizes(): string {
  return SMALL_QUICKSTART.filter((word) => word.startsWith('scenes.'))
    .map((word) => `--set ${word.replace('scenes.', '')}`)
    .join(' ');
}
