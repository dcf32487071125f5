/** @file A thread that passes a TCP connection on and holds back what the client sends: a link with a delay, in process. */
import { connect, createServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

/** What starts the thread. It posts the port that it listens at. */
export interface DelayProxyData {
  /** Port of the server, on this machine. */
  readonly to: number;
  /** Added to a round trip, in milliseconds. */
  readonly delayMs: number;
}

const { to, delayMs } = workerData as DelayProxyData;

const server = createServer({ noDelay: true }, (client: Socket) => {
  const target = connect({ port: to, host: '127.0.0.1', noDelay: true });
  client.on('data', (chunk) => {
    if (delayMs === 0) target.write(chunk);
    else setTimeout(() => target.write(chunk), delayMs);
  });
  target.pipe(client);
  for (const [one, other] of [
    [client, target],
    [target, client],
  ]) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
});
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as { port: number }).port));
