import { isLoopback, readToken } from '#src/access';
import type { Arguments, OptionSpec } from '#src/cli';
import { ConfigError, printable } from '#src/errors';
import { wholeNumber } from './wholeNumber.js';

/** Where a server listens, and who may ask it. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** What clients must show; undefined: nothing. */
  readonly token: string | undefined;
}

/** Options of every command that is a server. */
export function listenOptions(port: number): Readonly<Record<string, OptionSpec>> {
  return {
    host: { description: 'address to listen at (default 127.0.0.1: this machine alone)', placeholder: 'address' },
    port: { description: `port to listen at; 0: any free one (default ${port})`, placeholder: 'n' },
    'token-file': { description: 'file with the token', placeholder: 'file' },
  };
}

/** Where `--help` of a server says that its token comes from. */
export function tokenDetails(variable: string): string {
  return (
    `The token that clients must show is in --token-file or the variable ${variable}, at least 16 characters; without one, any ` +
    'program on this machine may ask, and no other host can be given.'
  );
}

/** @throws ConfigError for a port that is none, and an address that others can reach without a token */
export function listenAddressOf(args: Arguments, standardPort: number, variable: string): ListenAddress {
  const host = args.text('host') ?? '127.0.0.1';
  const port = wholeNumber(args, 'port', 0, standardPort);
  if (port > 65535) throw new ConfigError(`--port: expected a number up to 65535, got ${port}`);
  const token = readToken(args.text('token-file'), variable);
  if (token === undefined && !isLoopback(host)) {
    throw new ConfigError(
      `--host ${printable(host)}: expected a token, as others can reach it: --token-file or ${variable}; make one with: openssl rand -hex 32`,
    );
  }
  return { host, port, token };
}
