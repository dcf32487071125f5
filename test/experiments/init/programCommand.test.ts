import { expect, it } from 'vitest';
import { shellWord } from '#src/cli';
import { programCommand } from '../../../experiments/init/programCommand.js';

const cwd = '/home/me/project';

it.each<[string, string, Record<string, string>, string]>([
  ['from npx', '/home/me/.npm/_npx/1/node_modules/.bin/tokenfuse', { npm_command: 'exec' }, 'npx tokenfuse'],
  [
    'from a script of package.json',
    `${cwd}/node_modules/.bin/tokenfuse`,
    { npm_command: 'run-script' },
    'npx tokenfuse',
  ],
  ['by its path in node_modules', `${cwd}/node_modules/.bin/tokenfuse`, { PATH: '/usr/bin' }, 'npx tokenfuse'],
  ['from PATH', '/usr/local/bin/tokenfuse', { PATH: '/usr/bin:/usr/local/bin' }, 'tokenfuse'],
  ['from a clone', `${cwd}/dist/experiments/main.js`, { PATH: '/usr/bin' }, 'node dist/experiments/main.js'],
  ['from a clone elsewhere', '/opt/my tools/main.js', {}, "node '/opt/my tools/main.js'"],
])('%s: the command that works as printed', (_, script, env, command) => {
  expect(programCommand({ script, env, cwd })).toBe(command);
});

it('quotes what a shell would take apart', () => {
  expect(['a/b-1.png', 'my folder', "it's"].map(shellWord)).toEqual(['a/b-1.png', "'my folder'", "'it'\\''s'"]);
});
