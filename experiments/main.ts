#!/usr/bin/env node
import { runCli } from '#src/cli';
import { PROGRAM } from './program.js';
import { followParent } from './stages/index.js';

followParent();
process.exitCode = await runCli(PROGRAM, process.argv.slice(2));
