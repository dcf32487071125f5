import type { Output, Streams } from '#src/cli';

/** An output that keeps its lines. */
export function recordedOutput(): Output & { readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, line: (text = '') => void lines.push(text), interactive: false };
}

/** Standard streams that keep what is written. */
export function recordedStreams(): Streams & { readonly text: { stdout: string; stderr: string } } {
  const text = { stdout: '', stderr: '' };
  return {
    text,
    stdout: {
      write: (chunk) => {
        text.stdout += chunk;
      },
    },
    stderr: {
      write: (chunk) => {
        text.stderr += chunk;
      },
    },
  };
}
