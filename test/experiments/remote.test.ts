import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { serveParams } from '../support/servedParams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { mergeTiny, tinyJointModel } from '../support/tinyJointModel.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';

const GENERATE = ['a red', '--max-tokens', '6', '--engine', 'cpu'];

interface Generated {
  readonly candidates: readonly { readonly text: string; readonly logProb: number }[];
  readonly remote?: {
    readonly roundTrips: number;
    readonly sha256: string;
    readonly perToken: { readonly roundTrips: number; readonly bytesSent: number };
  };
}

async function generated(folder: string, model: string, ...options: string[]): Promise<Generated> {
  const { code, stdout, stderr } = await tokenfuse(['generate', model, ...GENERATE, '--json', ...options], folder);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Generated;
}

describe('a device checkpoint and a server', () => {
  it('generate what the whole model does; what that cost is reported', async () => {
    const folder = temporaryFolder();
    tinyJointModel(folder).dispose();
    const split = ['split-params', 'merged', 'device', '--groups', 'language,imageBridge'];
    const { code, stdout } = await tokenfuse(split, folder);
    expect(code).toBe(0);
    expect(stdout).toContain("tokenfuse serve-params merged --groups 'language,imageBridge'");
    const whole = await generated(folder, 'merged');
    expect(whole.remote).toBeUndefined();
    writeFileSync(join(folder, 'token'), 'a-secret-of-this-test\n');
    const server = await serveParams(folder, [
      'merged',
      '--groups',
      'language,*Bridge',
      '--token-file',
      'token',
      '--json',
    ]);
    const remote = ['--remote', server.url, '--remote-token-file', 'token'];
    const found = await generated(folder, 'device', ...remote);
    expect(found.candidates[0].text).toBe(whole.candidates[0].text);
    expect(Math.abs(found.candidates[0].logProb - whole.candidates[0].logProb)).toBeLessThan(1e-4);
    // Two blocks of three requests for each of six passes, and the list of groups.
    expect(found.remote?.roundTrips).toBe(2 * 3 * 6 + 1);
    expect(found.remote?.perToken.roundTrips).toBeCloseTo(37 / 6);
    // Three sums of eight numbers read a row of eight: the wire carries at least the rows.
    expect(found.remote?.perToken.bytesSent).toBeGreaterThan(6 * 8 * 4);
    const { stdout: text } = await tokenfuse(['generate', 'device', ...GENERATE, ...remote], folder);
    expect(text).toMatch(
      /^remote: 16 groups, 6\.2 round trips, \S+ kB sent and \S+ kB received a token; \S+ s waited$/m,
    );

    const noToken = await refusal(['generate', 'device', ...GENERATE, '--remote', server.url], folder, 2);
    expect(noToken).toMatch(/refused \(401\): expected the token of this server; give it by --remote-token-file/);
    const { code: ended, stdout: said } = await server.end('SIGTERM');
    expect(ended).toBe(0);
    expect(JSON.parse(said.slice(said.indexOf('{')))).toMatchObject({ groups: 22, answered: 72, refused: 1 });
    const gone = await refusal(['generate', 'device', ...GENERATE, ...remote, '--remote-retries', '0'], folder, 1);
    expect(gone).toMatch(/does not answer: nothing listens there; is 'tokenfuse serve-params' running there\?/);
    const { code: alone, stdout: fewer } = await tokenfuse(
      ['generate', 'device', ...GENERATE, ...remote, '--remote-retries', '0', '--remote-fallback'],
      folder,
    );
    expect(alone).toBe(0);
    expect(fewer.match(/does not answer \(nothing listens there\): going on without its groups/g)).toHaveLength(1);
  });

  it('caption and evaluate too', async () => {
    const folder = temporaryFolder();
    tinyJointModel(folder).dispose();
    const { default: sharp } = await import('sharp');
    await sharp({ create: { width: 16, height: 16, channels: 3, background: '#d04020' } })
      .png()
      .toFile(join(folder, 'a.png'));
    writeFileSync(join(folder, 'captions.csv'), 'image,caption\na.png,a red square\na.png,the square is red\n');
    writeFileSync(
      join(folder, 'evaluate.yaml'),
      'kind: evaluate\nname: e\nmodel: merged\nsets: [{ name: test, captions: captions.csv }]\ndecoding: { method: greedy, maxTokens: 5 }\nbootstrapSamples: 10\n',
    );
    const { url } = await serveParams(folder, ['merged']);
    const remote = ['--remote', url, '--engine', 'cpu', '--json'];
    const [here, there] = [
      await tokenfuse(['caption', 'merged', 'a.png', '--max-tokens', '5', '--engine', 'cpu', '--json'], folder),
      await tokenfuse(['caption', 'merged', 'a.png', '--max-tokens', '5', ...remote], folder),
    ];
    const captionOf = (text: string): string =>
      (JSON.parse(text) as { predictions: { caption: string }[] }).predictions[0].caption;
    expect(captionOf(there.stdout)).toBe(captionOf(here.stdout));
    const local = await tokenfuse(['evaluate', 'evaluate.yaml', '--out', 'here', '--engine', 'cpu', '--json'], folder);
    expect(local.code, local.stderr).toBe(0);
    const found = await tokenfuse(['evaluate', 'evaluate.yaml', '--out', 'there', ...remote], folder);
    expect(found.code, found.stderr).toBe(0);
    expect(found.stderr).toContain('the report traces no words');
    const setsOf = (text: string): unknown => (JSON.parse(text) as { sets: unknown }).sets;
    const rounded = (value: unknown): unknown =>
      JSON.parse(
        JSON.stringify(value, (_, each: unknown) => (typeof each === 'number' ? Number(each.toFixed(3)) : each)),
      );
    expect(rounded(setsOf(found.stdout))).toEqual(rounded(setsOf(local.stdout)));
    expect(found.stdout).toMatch(/"remote":\{"groups":32,/);
  });
});

describe('refused in one line', () => {
  it.each([
    ['generate device', /a device checkpoint without 10 groups, such as '.*'; expected a whole model, or .* --remote/],
    ['unmerge device parts', /a device checkpoint without/],
    ['generate merged --remote http://127.0.0.1:1/path', /--remote: expected the url that serve-params prints/],
    ['generate merged --remote 127.0.0.1', /--remote: expected the url/],
    ['generate merged --remote http://127.0.0.1:1 --sparse 2', /--sparse: expected all parameter tokens with --remote/],
    ['generate merged --remote-groups language', /--remote-groups: has no effect without --remote/],
    ['generate merged --remote-fallback', /--remote-fallback: has no effect without --remote/],
    ['generate merged --remote http://127.0.0.1:1 --remote-token-file short', /short: expected a token of 16 to 512/],
    [
      'caption merged a.png --out o.json --remote http://127.0.0.1:1 --remote-fallback',
      /--remote-fallback: not with --out/,
    ],
    ['serve-params merged --host 0.0.0.0', /--host 0\.0\.0\.0: expected a token, as others can reach it/],
    ['serve-params merged --groups langage', /--groups: .*\(did you mean 'language'\?\)/],
    ['serve-params merged --port 70000', /--port: expected a number up to 65535/],
    ['serve-params device', /a device checkpoint without/],
    ['split-params merged out', /expected --groups/],
    ['split-params merged device --groups language', /device: exists already|device: /],
  ])('%s', async (line, expected) => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    mergeTiny(folder);
    writeFileSync(join(folder, 'short'), 'abc');
    expect((await tokenfuse(['split-params', 'merged', 'device', '--groups', 'language'], folder)).code).toBe(0);
    expect(
      await refusal(
        [...line.split(' '), ...(/^(generate|caption|serve)/.test(line) ? ['--engine', 'cpu'] : [])],
        folder,
        2,
      ),
    ).toMatch(expected);
  });
});
