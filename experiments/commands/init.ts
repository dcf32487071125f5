import { relative, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { type Command, shellWord } from '#src/cli';
import { ConfigError, UserError } from '#src/errors';
import { takenProblem } from '#src/storage';
import { createExperiment } from '../init/createExperiment.js';
import { type Ask, initAnswers } from '../init/initAnswers.js';
import { programCommand } from '../init/programCommand.js';

/** `tokenfuse init`: a new experiment on the user's own images and captions. */
export const initCommand: Command = {
  name: 'init',
  summary: 'Write a new experiment for your own images and captions',
  details:
    'Looks at the captions, splits off validation and test images where they have none, and writes commented files for every ' +
    'stage. In a terminal it asks for what it needs to know; with --captions or --yes, or without a terminal, it asks nothing.',
  positionals: [{ name: 'folder', description: 'a new folder for the experiment and its results' }],
  options: {
    captions: {
      description: 'captions of any format: a file, or a folder with a text file beside each image',
      placeholder: 'path',
    },
    images: {
      description: 'folder of the image files (default: beside the captions); not for a folder with text files',
      placeholder: 'dir',
    },
    validation: {
      description: 'captions of the validation images, where they are in a file of their own',
      placeholder: 'path',
    },
    test: { description: 'captions of the test images, where they are in a file of their own', placeholder: 'path' },
    text: { description: 'text for the language backbone, in addition to the captions', placeholder: 'file' },
    size: { description: 'of both backbones: small (default; for a CPU) or medium (for a GPU)', placeholder: 'name' },
    'image-size': { description: 'pixels, a multiple of 8 (default: small 64, medium 128)', placeholder: 'n' },
    yes: { description: 'ask nothing: take the defaults for all that is not given' },
  },
  run: async (args, output) => {
    const [folder] = args.positionals;
    const terminal = process.stdin.isTTY
      ? createInterface({ input: process.stdin, output: process.stderr })
      : undefined;
    const ask: Ask | undefined = terminal && ((question) => terminal.question(question));
    const taken = takenProblem(folder, { canOverwrite: false });
    if (taken !== undefined) throw new ConfigError(taken);
    const answers = await initAnswers(args, ask, (line) => output.line(line))
      .catch((error: Error) => {
        throw error.name === 'AbortError' ? new UserError('cancelled; nothing was written') : error;
      })
      .finally(() => terminal?.close());
    const created = createExperiment(folder, answers, output);
    const shown = shellWord(relative('.', resolve(folder)) || '.');
    const commands = [
      `tokenfuse run ${shown}/pipeline.yaml --root ${shown}`,
      `tokenfuse caption ${shown}/align <image or folder>`,
    ];
    output.line(`written to ${shown}: ${created.files.join(', ')}`);
    output.line();
    output.line('Next, all stages and a report, and then captions of other images:');
    const program = programCommand({ script: process.argv[1], env: process.env, cwd: process.cwd() });
    for (const command of commands) output.line(`  ${command.replace('tokenfuse', program)}`);
    return { ...created, next: commands };
  },
};
