import { existsSync } from 'node:fs';

/** Usual places of a Chromium; TOKENFUSE_CHROMIUM names another. */
const PLACES = [
  process.env.TOKENFUSE_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The Chromium of this machine; undefined where there is none. */
export const CHROMIUM = PLACES.find((path) => path !== undefined && existsSync(path));
