/** @file The attempts [first, end) of a campaign: `campaignChild.js <name> <folder> <workshop> <seed> <first> <end>`. */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openFlips } from './bitFlips.js';
import type { CampaignName } from './campaign.js';
import { openFuzz } from './fuzzedInputs.js';

const [name, folder, workshop, seed, first, end] = process.argv.slice(2);
const open = { flips: openFlips, fuzz: openFuzz }[name as CampaignName];
const campaign = await open({ folder, workshop, seed: Number(seed) });
const progress = openSync(join(folder, 'progress'), 'r+');
const bytes = Buffer.alloc(4);
for (let index = Number(first); index < Number(end); index++) {
  bytes.writeUInt32LE(index);
  writeSync(progress, bytes, 0, 4, 0);
  const loss = await campaign.attempt(index);
  if (loss !== undefined) process.send?.(loss);
}
process.disconnect();
process.exitCode = 0;
