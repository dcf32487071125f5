import type { DecodeSettings } from '#vision';
import type { WorkName } from './works.js';

/** How a model is served. */
export interface ServeSettings {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Asked of every request but those for health and the site; undefined: of none. */
  readonly token: string | undefined;
  /** Folder of a static site. */
  readonly site: string | undefined;
  /** Of one request, in bytes. */
  readonly maxBodyBytes: number;
  /** Of one request. */
  readonly maxPictures: number;
  /** Largest width × height to decode. */
  readonly maxImagePixels: number;
  /** Pictures or prompts that the engine works on together. */
  readonly batchSize: number;
  /** How long the first of a batch waits for others while the engine is idle. */
  readonly batchWaitMs: number;
  /** Pictures and prompts that are accepted and not answered yet. */
  readonly maxQueue: number;
  /** Requests a second from one address; 0: any number. */
  readonly rate: number;
  /** Time for a request to arrive, and for its answer once it has. */
  readonly timeoutMs: number;
  readonly maxConnections: number;
  /** Of the bodies of all requests at once. */
  readonly maxHeldBytes: number;
}

export const SERVE_DEFAULTS: Omit<ServeSettings, 'host' | 'port' | 'token' | 'site'> = {
  maxBodyBytes: 20 * 2 ** 20,
  maxPictures: 16,
  maxImagePixels: 50_000_000,
  batchSize: 32,
  batchWaitMs: 5,
  maxQueue: 256,
  rate: 100,
  timeoutMs: 30_000,
  maxConnections: 512,
  maxHeldBytes: 256 * 2 ** 20,
};

/** What is served. */
export interface ServedDescription {
  readonly kind: 'vision' | 'language' | 'fusion';
  /** The name of its run or checkpoint folder. */
  readonly name: string;
  readonly parameters: number;
  readonly works: readonly WorkName[];
  /** How its pictures are made; null where it takes none. */
  readonly pictures: Pick<DecodeSettings, 'imageSize' | 'resize' | 'background'> | null;
  readonly engine: string;
  readonly version: string;
}
