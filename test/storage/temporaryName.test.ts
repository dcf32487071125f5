import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { clearLeftovers, HOST_ID, temporaryName } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';

it.each([
  ['of this process stay', (name: string) => name, true],
  [
    'of an earlier process that had this id are cleared',
    (name: string) =>
      name.replace(/-[0-9a-f]{4}(?=[0-9a-f]{4}\.tmp$)/, (mark) => `-${mark[1] === '0' ? '1' : '0'}${mark.slice(2)}`),
    false,
  ],
  ['of a process that is gone are cleared', (name: string) => name.replace(`-${process.pid}-`, '-4194305-'), false],
  [
    'of another machine stay',
    (name: string) => name.replace(HOST_ID, HOST_ID === '0'.repeat(8) ? '1'.repeat(8) : '0'.repeat(8)),
    true,
  ],
])('unfinished files %s', (_, changed, stays) => {
  const path = changed(temporaryName(join(temporaryFolder(), 'x.json')));
  writeFileSync(path, '');
  clearLeftovers(join(path, '..'));
  expect(existsSync(path)).toBe(stays);
});
