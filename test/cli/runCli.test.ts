import { describe, expect, it } from 'vitest';
import { type Command, type JsonObject, type Program, runCli } from '#src/cli';
import { ConfigError, RunError, UserError } from '#src/errors';
import { recordedStreams } from '../support/streams.js';

function command(given: Partial<Command> & Pick<Command, 'name'>): Command {
  return { summary: 'does it', positionals: [], options: {}, run: async () => ({}), ...given };
}

function failing(error: unknown): Command {
  return command({
    name: 'merge',
    run: async () => {
      throw error;
    },
  });
}

async function run(commands: Command[], ...argv: string[]) {
  const streams = recordedStreams();
  const program: Program = { name: 'tokenfuse', version: '1.2.3', summary: 'merges models', commands };
  const code = await runCli(program, argv, streams);
  return { code, ...streams.text };
}

const merge = command({
  name: 'merge',
  positionals: [
    { name: 'recipe', description: 'YAML' },
    { name: 'more', description: 'further files', optional: true, rest: true },
  ],
  options: {
    out: { description: 'folder', placeholder: 'path', short: 'o' },
    set: { description: 'override', placeholder: 'key=value', multiple: true },
    'dry-run': { description: 'plan only' },
  },
  run: async (args, output): Promise<JsonObject> => {
    output.line('merging');
    return {
      positionals: args.positionals,
      out: args.text('out') ?? null,
      set: args.texts('set'),
      dryRun: args.flag('dry-run'),
    };
  },
});

const train = command({ name: 'tokenizer train', run: async () => ({ trained: true }) });

describe('what comes from files', () => {
  it('cannot act on the terminal, in an error or a line', async () => {
    const name = 'a\u001b[31m\u202Egnp.jpg';
    const escaped = 'a\\u001b[31m\\u202egnp.jpg';
    expect(await run([failing(new UserError(`cannot read ${name}`))], 'merge')).toMatchObject({
      stderr: `tokenfuse: cannot read ${escaped}\n`,
    });
    const shows = command({
      name: 'caption',
      run: async (_, output) => {
        output.line(`${name}\ta cat\nnext`);
        return {};
      },
    });
    expect(await run([shows], 'caption')).toMatchObject({ code: 0, stdout: `${escaped}\ta cat\nnext\n` });
  });
});

describe('an error of the system that reaches the program', () => {
  it.each([
    ['ENOENT', 'no such file', 2],
    ['ENOSPC', 'the disk is full: free some space and run again', 1],
    ['EMFILE', 'too many open files: raise the limit with ulimit -n', 1],
  ])('%s is one line in words, and no bug', async (code, words, exitCode) => {
    const error = Object.assign(new Error(`${code}: what Node says, open '/a'`), { code, syscall: 'open', path: '/a' });
    expect(await run([failing(error)], 'merge')).toEqual({
      code: exitCode,
      stdout: '',
      stderr: `tokenfuse: /a: ${words}\n`,
    });
  });
});

describe('arguments', () => {
  it('reach the command: words, options, repeated options and flags', async () => {
    const words = ['merge', 'a.yaml', 'b.yaml', '-o', 'runs', '--set', 'x=1', '--set=y=-2', '--dry-run', '--json'];
    const { stdout } = await run([merge], ...words);
    expect(JSON.parse(stdout)).toMatchObject({
      positionals: ['a.yaml', 'b.yaml'],
      out: 'runs',
      set: ['x=1', 'y=-2'],
      dryRun: true,
    });
  });

  it('that are not given are undefined, empty or false', async () => {
    const { stdout } = await run([merge], 'merge', 'a.yaml', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ positionals: ['a.yaml'], out: null, set: [], dryRun: false });
  });

  it('find a command of two words', async () => {
    const { stdout } = await run([merge, train], 'tokenizer', 'train', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ trained: true });
  });
});

describe('wrong usage is exit code 2 and one line on stderr:', () => {
  it.each([
    ['an unknown command', ['merg'], /expected a command, got 'merg' \(did you mean 'merge'\?\); commands: merge/],
    [
      'a half command',
      ['tokenizer', 'trian'],
      /expected a command, got 'tokenizer trian' \(did you mean 'tokenizer train'\?\)/,
    ],
    ['an unknown option', ['merge', 'a', '--dryrun'], /unknown option '--dryrun' \(did you mean 'dry-run'\?\)/],
    ['an unknown short option', ['merge', 'a', '-x'], /unknown option '-x'/],
    ['an option before the command', ['--json', 'merge', 'a'], /expected a command first, got '--json'/],
    ['an option without its value', ['merge', 'a', '--out'], /'.*--out.*' argument missing/],
    ['an option that looks like a value', ['merge', 'a', '--out', '--json'], /--out/],
    ['a flag with a value', ['merge', 'a', '--dry-run=yes'], /--dry-run/],
    ['a missing word', ['merge'], /expected <recipe>, got nothing/],
    ['a word too many', ['tokenizer', 'train', 'x'], /unexpected 'x'/],
  ])('%s', async (_, argv, expected) => {
    const { code, stdout, stderr } = await run([merge, train], ...argv);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(expected);
    expect(stderr).toMatch(/^tokenfuse: [^\n]+\n$/);
  });
});

describe('exit codes', () => {
  it('0 when a command succeeds', async () => {
    expect((await run([merge], 'merge', 'a')).code).toBe(0);
  });

  it('1 when what it checks does not pass', async () => {
    const { code, stdout } = await run(
      [command({ name: 'parity', run: async () => ({ passed: false }) })],
      'parity',
      '--json',
    );
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ passed: false });
  });

  it('1 for a failure, with its one line', async () => {
    const result = await run([failing(new RunError('cannot read x'))], 'merge');
    expect(result).toEqual({ code: 1, stdout: '', stderr: 'tokenfuse: cannot read x\n' });
  });

  it('2 for a configuration, with a line for every problem', async () => {
    const result = await run([failing(new ConfigError(['a: 1', 'b: 2']))], 'merge');
    expect(result).toEqual({ code: 2, stdout: '', stderr: 'tokenfuse: a: 1\ntokenfuse: b: 2\n' });
  });

  it('1 for a defect, which says how to find the place', async () => {
    const { code, stderr } = await run([failing(new TypeError('x is not a function'))], 'merge');
    expect(code).toBe(1);
    expect(stderr).toBe(
      'tokenfuse: x is not a function\ntokenfuse: this is a bug in tokenfuse; --debug shows the stack trace\n',
    );
  });

  it('2 for no words at all, with the help', async () => {
    const { code, stdout } = await run([merge]);
    expect(code).toBe(2);
    expect(stdout).toContain('usage: tokenfuse <command>');
  });
});

describe('--debug', () => {
  it('shows the stack of a known failure too', async () => {
    const { stderr } = await run([failing(new UserError('cannot read x'))], 'merge', '--debug');
    expect(stderr).toMatch(/^tokenfuse: cannot read x\nUserError: cannot read x\n {4}at /);
  });
});

describe('--json', () => {
  it('puts exactly one object on stdout and everything for people on stderr', async () => {
    const { stdout, stderr } = await run([merge], 'merge', 'a', '--json');
    expect(stdout).toMatch(/^\{.*\}\n$/);
    expect(stderr).toBe('merging\n');
  });

  it('says what the process took', async () => {
    const { process } = JSON.parse((await run([merge], 'merge', 'a', '--json')).stdout);
    expect(process.seconds).toBeGreaterThanOrEqual(0);
    // Node alone takes some tens of megabytes.
    expect(process.peakMemoryBytes).toBeGreaterThan(2 ** 24);
    expect(process.peakMemoryBytes).toBeLessThan(2 ** 36);
  });

  it('leaves stdout empty when the command fails', async () => {
    const { code, stdout } = await run([failing(new RunError('no'))], 'merge', '--json');
    expect([code, stdout]).toEqual([1, '']);
  });

  it('absent, the lines for people are on stdout', async () => {
    const { stdout, stderr } = await run([merge], 'merge', 'a');
    expect([stdout, stderr]).toEqual(['merging\n', '']);
  });
});

describe('help', () => {
  const wordy = command({
    name: 'train',
    summary: 'trains a backbone, which is to say a model of one modality, on the data that the experiment file names',
    details: `first ${'word '.repeat(30)}\nsecond`,
    positionals: [{ name: 'experiment', description: `a file ${'of many lines '.repeat(9)}` }],
    options: {
      'an-option-with-a-very-long-name': { description: 'what it does '.repeat(8), placeholder: 'a-long-value' },
    },
  });

  it.each(['--help', '-h', 'train --help', 'train -h', 'merge a --help'])(
    'of %s fits 80 columns, is on stdout and succeeds',
    async (words) => {
      const { code, stdout, stderr } = await run([merge, train, wordy], ...words.split(' '));
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout.length).toBeGreaterThan(50);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    },
  );

  it('lists every command with its summary', async () => {
    const { stdout } = await run([merge, train], '--help');
    expect(stdout).toMatch(/^ {2}merge\s+does it$/m);
    expect(stdout).toMatch(/^ {2}tokenizer train\s+does it$/m);
  });

  it('of a command lists its words, its options and the common ones', async () => {
    const { stdout } = await run([merge], 'merge', '--help');
    expect(stdout).toContain('usage: tokenfuse merge <recipe> [<more...>] [options]');
    for (const part of ['<recipe>', '--out <path>', '--dry-run', '--json', '--debug', '--help']) {
      expect(stdout).toContain(part);
    }
  });

  it('needs no arguments that the command itself would need', async () => {
    expect((await run([merge], 'merge', '--help')).code).toBe(0);
  });

  it('--version prints the version alone', async () => {
    expect(await run([merge], '--version')).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' });
  });
});

describe('a program with options of its own', () => {
  const prepared: (readonly string[])[] = [];
  const program = (fails = false): Program => ({
    ...{ name: 'tokenfuse', version: '1', summary: 'merges', commands: [train] },
    options: { plugin: { description: 'a module', placeholder: 'file', multiple: true } },
    prepare: async (args) => {
      if (fails) throw new RunError('cannot load it');
      prepared.push(args.texts('plugin'));
    },
  });

  it('takes them with every command, before the command runs', async () => {
    const streams = recordedStreams();
    const words = ['tokenizer', 'train', '--plugin', 'a.ts', '--plugin', 'b.ts', '--json'];
    expect(await runCli(program(), words, streams)).toBe(0);
    expect(prepared).toEqual([['a.ts', 'b.ts']]);
    expect(JSON.parse(streams.text.stdout)).toMatchObject({ trained: true });
  });

  it('does not run the command when they cannot be used', async () => {
    const streams = recordedStreams();
    expect(await runCli(program(true), ['tokenizer', 'train', '--json'], streams)).toBe(1);
    expect(streams.text).toMatchObject({ stdout: '', stderr: 'tokenfuse: cannot load it\n' });
  });

  it('shows them in the help of its commands', async () => {
    const streams = recordedStreams();
    await runCli(program(), ['tokenizer', 'train', '--help'], streams);
    expect(streams.text.stdout).toMatch(/--plugin <file> +a module/);
  });
});
