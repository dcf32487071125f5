import { isLoopback, readToken } from '#src/access';
import type { Arguments, JsonObject, OptionSpec, Output } from '#src/cli';
import { ConfigError, shownText } from '#src/errors';
import { connectRemote, REMOTE_TOKEN_VARIABLE, type RemoteParams } from '#src/remote';
import { wholeNumber } from './wholeNumber.js';

/** For commands that run a trained model some of whose groups another process holds. */
export const REMOTE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  remote: {
    description: 'ask this server, a tokenfuse serve-params, for what its groups contribute; docs/remote.md',
    placeholder: 'url',
  },
  'remote-groups': {
    description:
      'the groups to ask for, as --groups of serve-params (default: those that the model lacks, or else all)',
    placeholder: 'patterns',
  },
  'remote-token-file': {
    description: `file with the token of the server (default: the variable ${REMOTE_TOKEN_VARIABLE})`,
    placeholder: 'file',
  },
  'remote-timeout': { description: 'seconds for the server to answer (default 10)', placeholder: 's' },
  'remote-retries': { description: 'further attempts when it does not, with pauses (default 3)', placeholder: 'n' },
};

/** For those whose result may come of fewer groups. */
export const REMOTE_FALLBACK: Readonly<Record<string, OptionSpec>> = {
  'remote-fallback': { description: 'when it still does not answer, go on without its groups instead of ending' },
};

/**
 * The server that `--remote` names; undefined without it. The caller closes it.
 *
 * @throws ConfigError for a url that is none, and options that do not go together
 */
export function remoteOf(args: Arguments, output: Output): RemoteParams | undefined {
  const given = args.text('remote');
  if (given === undefined) {
    const idle = Object.keys({ ...REMOTE_OPTIONS, ...REMOTE_FALLBACK }).find(
      (name) => args.text(name) !== undefined || args.flag(name),
    );
    if (idle !== undefined) throw new ConfigError(`--${idle}: has no effect without --remote`);
    return undefined;
  }
  const partial = ['sparse', 'prefix'].find((name) => args.text(name) !== undefined);
  if (partial !== undefined) {
    throw new ConfigError(
      `--${partial}: expected all parameter tokens with --remote, which computes with all of a group`,
    );
  }
  const url = serverUrl(given);
  const token = readToken(args.text('remote-token-file'), REMOTE_TOKEN_VARIABLE);
  if (!isLoopback(url.hostname))
    output.line(
      `--remote: what the model computes goes to ${url.host} unencrypted, with the token; docs/remote.md says how to send it through SSH`,
    );
  return connectRemote({
    ...{ url: url.origin, token, groups: args.text('remote-groups') },
    timeoutMs: 1000 * wholeNumber(args, 'remote-timeout', 1, 10),
    retries: wholeNumber(args, 'remote-retries', 0, 3),
    onFailure: args.flag('remote-fallback') ? 'local' : 'error',
    say: output.line,
  });
}

function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' && `${url.origin}/` === url.href) return url;
  throw new ConfigError(
    `--remote: expected the url that serve-params prints, such as http://127.0.0.1:7331, got '${shownText(text)}'`,
  );
}

/** Prints what a server's groups cost, for each of so many tokens where there are any, and returns it for the result. */
export function remoteResult(remote: RemoteParams | undefined, { line }: Output, tokens?: number): JsonObject {
  if (remote === undefined) return {};
  const usage = remote.usage();
  const { groups, roundTrips, bytesSent, bytesReceived, retries, secondsWaited } = usage;
  const perToken = tokens
    ? { roundTrips: roundTrips / tokens, bytesSent: bytesSent / tokens, bytesReceived: bytesReceived / tokens }
    : undefined;
  const cost = perToken ?? usage;
  const counts = [
    `${cost.roundTrips.toFixed(perToken ? 1 : 0)} round trips`,
    `${kilobytes(cost.bytesSent)} sent and ${kilobytes(cost.bytesReceived)} received`,
  ].join(', ');
  line(
    `remote: ${groups} groups, ${counts}${perToken ? ' a token' : ''}; ${secondsWaited.toFixed(2)} s waited${retries > 0 ? `, ${retries} attempts repeated` : ''}`,
  );
  return { remote: { ...usage, ...(perToken && { tokens, perToken }) } };
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
