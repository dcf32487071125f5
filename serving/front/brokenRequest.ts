import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { JSON_TYPE, REFUSALS, refusalBody } from './refusal.js';

const MESSAGES = {
  request_timeout: 'expected the whole request in time',
  header_too_large: 'expected smaller headers',
  bad_request: 'expected HTTP/1.1',
} as const;

/** For the client to read its refusal. */
const LINGER_MS = 500;

/**
 * Refuses what is no HTTP, or does not arrive in time, and closes its connection.
 *
 * @param onRefused hears the code, before it is sent
 */
export function refuseBroken(
  { code: reason }: NodeJS.ErrnoException,
  socket: Socket,
  onRefused: (code: keyof typeof MESSAGES) => void,
): void {
  if (socket.writableEnded) return; // refused already
  // The client is gone, in the middle of a request or without any.
  if (reason === 'ECONNRESET' || reason === 'HPE_INVALID_EOF_STATE' || !socket.writable) return void socket.destroy();
  const code =
    reason === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? 'request_timeout'
      : reason === 'HPE_HEADER_OVERFLOW'
        ? 'header_too_large'
        : 'bad_request';
  onRefused(code);
  // As Node's own listener does: no second answer into the middle of one.
  const { _httpMessage: answer } = socket as Socket & { _httpMessage?: ServerResponse };
  if (answer?.headersSent) return void socket.destroy();
  const body = refusalBody(code, MESSAGES[code]);
  const head = [
    `HTTP/1.1 ${REFUSALS[code]} Refused`,
    `content-type: ${JSON_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Closed at once, with bytes unread, the connection would be reset, and the client might not see why.
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
