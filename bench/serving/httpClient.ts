import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';

/** An answer of a server; status 0: the connection ended without one. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface HttpRequest {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Breaks the connection off after so many bytes of the body. */
  readonly breakOffAt?: number;
}

/** A client with one connection, which is kept. */
export interface HttpClient {
  send(what: HttpRequest): Promise<HttpAnswer>;
  close(): void;
}

const NONE: HttpAnswer = { status: 0, headers: {}, text: '' };

export function createHttpClient(url: string): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    send: ({ method = 'POST', path, headers, body = '', breakOffAt }) =>
      new Promise((resolve) => {
        const length = String(Buffer.byteLength(body));
        const sent = request(new URL(path, url), {
          ...{ method, agent },
          headers: method === 'GET' ? { ...headers } : { 'content-length': length, ...headers },
        });
        sent.on('error', () => resolve(NONE));
        sent.on('response', (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', () => resolve(NONE));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: Buffer.concat(chunks).toString('utf8'),
            }),
          );
        });
        if (breakOffAt === undefined) sent.end(body);
        else sent.write(body.slice(0, breakOffAt), () => sent.destroy());
      }),
    close: () => agent.destroy(),
  };
}

/** What a server says to bytes that need not be HTTP, until it closes the connection. @param pauseMs before each further piece */
export function sendRaw(url: string, pieces: readonly (string | Buffer)[], pauseMs = 0): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    const socket = connect(Number(port), hostname);
    const rest = [...pieces];
    const next = (): void => {
      const piece = rest.shift();
      if (piece === undefined || socket.destroyed) return;
      socket.write(piece);
      timer = setTimeout(next, pauseMs);
    };
    socket.on('connect', next);
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

/** A form: fields, and files by the name `image`. */
export function formOf(
  files: readonly { readonly name: string; readonly bytes: Buffer }[],
  fields: Readonly<Record<string, string>> = {},
): { readonly headers: Record<string, string>; readonly body: Buffer } {
  const boundary = 'tokenfuse-boundary';
  const parts = [
    ...Object.entries(fields).map(([name, value]) =>
      Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`),
    ),
    ...files.flatMap(({ name, bytes }) => [
      Buffer.from(
        `--${boundary}\r\ncontent-disposition: form-data; name="image"; filename="${name}"\r\ncontent-type: image/png\r\n\r\n`,
      ),
      bytes,
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${boundary}--\r\n`),
  ];
  return { headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body: Buffer.concat(parts) };
}
