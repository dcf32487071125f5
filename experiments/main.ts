#!/usr/bin/env node
import { runCli } from '#src/cli';
import { endWithParent } from './endWithParent.js';
import { PROGRAM } from './program.js';
import { takeThreadsFromParent } from './threadsFromParent.js';

endWithParent();
takeThreadsFromParent();
process.exitCode = await runCli(PROGRAM, process.argv.slice(2));
