#!/usr/bin/env node
import { interruption, runCli, standardStreams } from '#src/cli';
import { PROGRAM } from './program.js';
import { takeThreadsFromParent } from './stages/index.js';

const streams = standardStreams();
interruption.watch(PROGRAM.name, (line) => streams.stderr.write(line));
takeThreadsFromParent();
process.exitCode = await runCli(PROGRAM, process.argv.slice(2), streams);
