import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type Command, exitCodeOf, Interrupted, interruption, type Program, runCli } from '#src/cli';
import { recordedStreams } from '../support/streams.js';

const script = join(import.meta.dirname, '../../dist/test/cli/watchedChild.js');

interface Child {
  readonly process: ChildProcess;
  readonly stderr: () => string;
  readonly ended: Promise<[number | null, NodeJS.Signals | null]>;
}

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

async function start(work: 'blocked' | 'idle', manner: 'waits' | 'ends', env: NodeJS.ProcessEnv = {}): Promise<Child> {
  if (!existsSync(script)) throw new Error(`expected ${script}; run npm run build first`);
  const child = spawn(process.execPath, [script, work, manner], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  children.push(child);
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  await Promise.race([once(child.stdout, 'data'), ended]);
  return { process: child, stderr: () => stderr, ended };
}

describe('watched signals', { timeout: 60_000, concurrent: true }, () => {
  it('one ends a process that waits for something else', async () => {
    const child = await start('idle', 'ends');
    child.process.kill('SIGHUP');
    expect(await child.ended).toEqual([129, null]);
    expect(child.stderr()).toBe('child: stopped by SIGHUP\n');
  });

  it('one ends a computation that never returns', async () => {
    const child = await start('blocked', 'ends');
    child.process.kill('SIGINT');
    expect(await child.ended).toEqual([null, 'SIGINT']);
    expect(child.stderr()).toBe('child: stopped by SIGINT\n');
  });

  it.each(['blocked', 'idle'] as const)('a second one ends work that is waited for: %s', async (work) => {
    const child = await start(work, 'waits');
    child.process.kill('SIGTERM');
    // Delivered twice, as by `timeout`: still one request.
    child.process.kill('SIGTERM');
    await setTimeout(4500);
    expect([child.process.exitCode, child.process.signalCode]).toEqual([null, null]);
    child.process.kill('SIGTERM');
    expect(await child.ended).toEqual(work === 'idle' ? [143, null] : [null, 'SIGTERM']);
    expect(child.stderr()).toBe('child: stopped by SIGTERM\n');
  });

  it('a second one means nothing to a stage, whose parent gets it too', async () => {
    const child = await start('idle', 'waits', { TOKENFUSE_PARENT: String(process.pid) });
    child.process.kill('SIGINT');
    await setTimeout(600);
    child.process.kill('SIGINT');
    await setTimeout(1500);
    expect([child.process.exitCode, child.process.signalCode]).toEqual([null, null]);
  });

  it('a stage ends with its parent', async () => {
    const child = await start('idle', 'waits', { TOKENFUSE_PARENT: '1' });
    expect(await child.ended).toEqual([null, 'SIGKILL']);
  });

  it('SIGUSR1 opens no debugger', async () => {
    const child = await start('idle', 'waits');
    child.process.kill('SIGUSR1');
    await setTimeout(1000);
    expect(child.process.exitCode).toBe(null);
    expect(child.stderr()).toBe('');
  });

  it('SIGHUP leaves a process that was started with nohup alone', async () => {
    const child = await start('idle', 'ends', { _: '/usr/bin/nohup' });
    child.process.kill('SIGHUP');
    await setTimeout(3000);
    expect([child.process.exitCode, child.process.signalCode]).toEqual([null, null]);
  });
});

describe('a command that a signal ends', () => {
  afterEach(() => interruption.reset());

  const program = (error: Interrupted, options: Command['options'] = {}): Program => ({
    ...{ name: 'prog', version: '1', summary: '' },
    commands: [
      {
        ...{ name: 'do it', summary: '', positionals: [{ name: 'file', description: '' }], options },
        run: async () => {
          throw error;
        },
      },
    ],
  });
  const said = async (error: Interrupted, argv: string[], options: Command['options'] = {}): Promise<string> => {
    const streams = recordedStreams();
    expect(await runCli(program(error, options), argv, streams)).toBe(exitCodeOf(error.signal));
    expect(streams.text.stdout).toBe('');
    return streams.text.stderr;
  };
  const resume = { resume: { description: '' }, set: { description: '', placeholder: 'a=b' } };

  it('tells the command that goes on, as a shell reads it', async () => {
    const stopped = new Interrupted('SIGTERM', ' after step 3', true);
    expect(await said(stopped, ['do', 'it', "it's.yaml", '--set', 'a=[1, 2]'], resume)).toBe(
      "prog: stopped by SIGTERM after step 3; go on with: prog do it 'it'\\''s.yaml' --set 'a=[1, 2]' --resume\n",
    );
    expect(await said(stopped, ['do', 'it', 'x', '--resume'], resume)).toBe(
      'prog: stopped by SIGTERM after step 3; go on with: prog do it x --resume\n',
    );
    expect(await said(stopped, ['do', 'it', 'x'])).toBe(
      'prog: stopped by SIGTERM after step 3; go on with: prog do it x\n',
    );
  });

  it('leaves out what would start anew', async () => {
    const stopped = new Interrupted('SIGTERM', '', true, ['--overwrite']);
    expect(await said(stopped, ['do', 'it', 'x', '--overwrite'], { overwrite: { description: '' } })).toBe(
      'prog: stopped by SIGTERM; go on with: prog do it x\n',
    );
  });

  it('tells no command where nothing is kept', async () => {
    expect(await said(new Interrupted('SIGINT'), ['do', 'it', 'x'], resume)).toBe('prog: stopped by SIGINT\n');
  });
});
