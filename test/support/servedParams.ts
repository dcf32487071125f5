import { type StartedServer, startServer } from './startedServer.js';

/** Starts to hold the parameters of a model; the process ends with the test at the latest. @param words the model, `--groups` … */
export function serveParams(folder: string, words: readonly string[]): Promise<StartedServer> {
  return startServer(folder, ['serve-params', ...words, '--engine', 'cpu']);
}
