export { serveWatch, type WatchServer } from './watchServer.js';
