#!/usr/bin/env node
import { runCli } from '#src/cli';
import { PROGRAM } from './program.js';

process.exitCode = await runCli(PROGRAM, process.argv.slice(2));
