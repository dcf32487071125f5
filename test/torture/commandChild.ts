/** @file Runs commands that its parent sends, in this process: `commandChild.js`, over the IPC channel. */
import { PROGRAM } from '#experiments';
import { runCli } from '#src/cli';
import type { Outcome } from './commandProcess.js';

const home = process.cwd();
process.on('message', (message) => {
  const { words, folder } = message as { words: readonly string[]; folder: string };
  void (async () => {
    let [stdout, stderr] = ['', ''];
    process.chdir(folder);
    const code = await runCli(PROGRAM, words, {
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
    });
    // A file system cannot be unmounted while a process is in it.
    process.chdir(home);
    process.send?.({ code, stdout, stderr } satisfies Outcome);
  })();
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
