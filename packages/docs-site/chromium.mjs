import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

/** Where Debian and others put it; CHROMIUM names another place. */
const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export const NO_CHROMIUM = 'no chromium found (apt-get install chromium, or CHROMIUM=<path>)';

/** A browser without a window; undefined where none is installed. */
export async function openChromium() {
  const executablePath = PLACES.find((path) => path !== undefined && existsSync(path));
  return executablePath && chromium.launch({ executablePath, args: ['--no-sandbox'] });
}
