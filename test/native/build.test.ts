import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../native/build.mjs', import.meta.url));

it('without a compiler says in one line that the engine is absent, and succeeds', () => {
  const env = { ...process.env, CXX: 'no-such-compiler' };
  const printed = execFileSync(process.execPath, [script], { env, encoding: 'utf8' });
  expect(printed).toMatch(/^native engine: absent, no C\+\+ compiler was found; install g\+\+ or clang\+\+.*\n$/);
});
