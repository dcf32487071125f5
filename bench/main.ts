/** @file `npm run bench -- [command] [options]`; without a command it is `run`. */
import { runCli } from '#src/cli';
import { profileCommand, readmeCommand, runCommand } from './commands.js';

const words = process.argv.slice(2);
const named = words[0] !== undefined && !words[0].startsWith('-');
const program = {
  name: 'bench',
  version: process.version,
  summary: 'tokenfuse compared with PyTorch, oneDNN and its own wasm engine',
  commands: [runCommand, profileCommand, readmeCommand],
};
process.exitCode = await runCli(program, named || words[0] === '--help' ? words : ['run', ...words]);
