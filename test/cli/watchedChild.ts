/** @file A process that watches its signals: `watchedChild.js <blocked|idle> <waits|ends>`. It says when it is ready. */
import { interruption } from '#src/cli';

const [work, manner] = process.argv.slice(2);
interruption.watch('child', (line) => void process.stderr.write(line));
// The watcher is a thread that starts meanwhile.
await new Promise((resolve) => setTimeout(resolve, 1000));

async function endless(): Promise<void> {
  process.stdout.write('ready\n');
  if (work === 'blocked') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  const keepAlive = setInterval(() => undefined, 1000);
  await new Promise(() => keepAlive);
}
await (manner === 'waits' ? interruption.waitFor(endless) : endless());
