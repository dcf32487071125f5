import type { IncomingHttpHeaders } from 'node:http';
import { isAuthorized, isLoopback } from '#src/access';
import type { ServeSettings } from '../settings.js';
import { Refusal } from './refusal.js';

/**
 * Refuses requests that pages of other sites let a browser make: those with another `Origin`, and, where no token guards a server
 * of this machine alone, those by a name that leads here but is not this machine's (DNS rebinding).
 *
 * @throws Refusal
 */
export function refuseForeignPages(
  { host, origin }: IncomingHttpHeaders,
  settings: Pick<ServeSettings, 'host' | 'token'>,
): void {
  if (settings.token === undefined && isLoopback(settings.host) && !isLoopback(hostnameOf(host))) {
    throw new Refusal('forbidden', 'expected the Host header to name this machine, such as localhost');
  }
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new Refusal('forbidden', 'expected no request of another site: Origin and Host differ');
  }
}

/** @throws Refusal without the token */
export function refuseStrangers({ authorization }: IncomingHttpHeaders, token: string | undefined): void {
  if (!isAuthorized(authorization, token)) {
    throw new Refusal('unauthorized', 'expected the token of this server: Authorization: Bearer <token>');
  }
}

/** `localhost:8080` → `localhost`, `[::1]:80` → `[::1]` */
function hostnameOf(host = ''): string {
  return host.replace(/:\d*$/, '').toLowerCase();
}
