import { existsSync, readFileSync } from 'node:fs';

/** The largest resident set of this process so far. */
export function peakBytes(): number {
  // Not resourceUsage alone: its peak begins with that of the process that started this one.
  if (!existsSync('/proc/self/status')) return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}
