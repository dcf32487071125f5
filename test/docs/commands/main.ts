/**
 * @file `npm run docs:commands`: runs the commands of all markdown files, page by page, in the smallest size and in a folder that has
 * what they name. Those that install, measure for minutes or need a GPU are listed with the reason; `npm test` parses them all the
 * same. Words choose pages: `npm run docs:commands -- docs/growth.md`. Exit code 1 when a command fails.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { documentedCommands } from './documentedCommands.js';
import { openShell } from './shell.js';
import { smallVariant } from './smallVariant.js';
import { makeWorkshop } from './workshop.js';

const root = resolve(import.meta.dirname, '../../../..');
const chosen = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'tokenfuse-docs-'));
const count = { run: 0, failed: 0, parsed: 0 };
const say = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  const shell = openShell(root, join(scratch, 'bin'));
  const workshop = join(scratch, 'workshop');
  await makeWorkshop(root, workshop, shell);
  const commands = documentedCommands(root).filter(({ path }) => chosen.length === 0 || chosen.includes(path));
  for (const page of new Set(commands.map(({ path }) => path))) {
    const folder = join(scratch, page.replaceAll('/', '-'));
    cpSync(workshop, folder, { recursive: true, verbatimSymlinks: true });
    const servers = [];
    for (const { place, command } of commands.filter(({ path }) => path === page)) {
      const small = smallVariant(command);
      if (typeof small === 'string') {
        count.parsed++;
        say(`– ${place}: ${command}: ${small}`);
        continue;
      }
      count.run++;
      const started = performance.now();
      if (small.isServer) {
        const server = await shell.start(small.command, folder);
        if (server) servers.push(server);
        else count.failed++;
        say(`${server ? '✓' : '✗'} ${place}: ${command} (a server)`);
        continue;
      }
      const { code, output } = await shell.run(small.command, folder);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      say(`${code === 0 ? '✓' : '✗'} ${place}: ${command} (${seconds} s)`);
      if (code === 0) continue;
      count.failed++;
      say(`    ${small.command}\n    exit code ${code}\n${output.replaceAll(/^/gm, '    ')}`);
    }
    for (const server of servers) server.kill();
    rmSync(folder, { recursive: true });
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
say(`${count.run} commands run, ${count.failed} failed; ${count.parsed} are parsed only, by npm test`);
process.exitCode = count.failed === 0 ? 0 : 1;
