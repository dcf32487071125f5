import { serveWatch } from '#comparison';
import { type Command, interruption } from '#src/cli';
import { ConfigError, UserError } from '#src/errors';
import { fileStatus } from '#src/storage';
import { wholeNumber } from '../options/index.js';

/** `tokenfuse runs watch`: a run in the browser, as it goes on. */
export const runsWatchCommand: Command = {
  name: 'runs watch',
  summary: 'Follow a run in the browser, or all that train below a folder',
  details:
    'Serves a page on this machine alone until a signal ends it. The page shows what changes by itself, also when the run is resumed ' +
    'from an earlier step. It reads only.',
  positionals: [{ name: 'run', description: 'a run, or a folder with runs such as a pipeline; it may be at work' }],
  options: { port: { description: 'port to listen at; 0: any free one (default 0)', placeholder: 'n' } },
  run: async (args, output) => {
    const [folder] = args.positionals;
    const port = wholeNumber(args, 'port', 0, 0);
    if (port > 65535) throw new ConfigError(`--port: expected a number up to 65535, got ${port}`);
    if (fileStatus(folder, 'run')?.isDirectory() !== true) {
      throw new UserError(`${folder}: expected a run, or a folder with runs`);
    }
    const url = await interruption.waitFor(async () => {
      const ended = interruption.ended();
      const server = await serveWatch(folder, { port });
      output.line(`${folder} at ${server.url} until Ctrl-C`);
      await ended;
      await server.close();
      return server.url;
    });
    return { folder, url };
  },
};
