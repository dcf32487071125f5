import { RunError } from '#src/errors';

/** Whether a host can be reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host) || /^\[?::1\]?$/.test(host);
}

/** Why a server cannot listen at an address. */
export function listenError(host: string, port: number, { code, message }: NodeJS.ErrnoException): RunError {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program has it; choose another --port',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'this machine has no such address',
    EACCES: 'permission denied; take a port above 1023',
  };
  return new RunError(`cannot serve at ${host} port ${port}: ${reasons[code ?? ''] ?? message}`);
}

/** The url of a server at an address that Node gives. */
export function urlOf({ family, address, port }: { family: string; address: string; port: number }): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
