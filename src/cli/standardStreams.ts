import type { Streams } from './runCli.js';

/** Why writing to a stream failed, in words. */
const REASONS: Readonly<Record<string, string>> = {
  EPIPE: 'its reader has ended',
  EIO: 'its terminal is gone',
  ENOSPC: 'no space is left on its device',
};

/**
 * stdout and stderr of this process. Where a reader ends (`| head -1`), a terminal closes or a disk is full, what is written
 * from then on is lost without a word: the work does not depend on who watches it.
 */
export function standardStreams(): Streams {
  const failures = new Map<NodeJS.WriteStream, string>();
  const surviving = (stream: NodeJS.WriteStream) => {
    stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      // Later ones only say that the stream is closed.
      if (!failures.has(stream)) failures.set(stream, REASONS[code ?? ''] ?? message);
    });
    return {
      write: (text: string): void => {
        if (!failures.has(stream)) stream.write(text);
      },
      isTTY: stream.isTTY,
      failure: (): string | undefined => failures.get(stream),
    };
  };
  return { stdout: surviving(process.stdout), stderr: surviving(process.stderr) };
}
