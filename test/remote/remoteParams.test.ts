import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  captionCandidates,
  captionLogits,
  imageContexts,
  imageStates,
  JOINT_KIND,
  type JointModel,
  loadJointModel,
  takeOverJointGroups,
} from '#fusion';
import { Decoding, generateText, loadLanguageModel } from '#language';
import { selectEngine, tf } from '#src/engine';
import { connectRemote, type RemoteOptions, type RemoteParams } from '#src/remote';
import { writeCheckpoint } from '#src/training';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { serveParams } from '../support/servedParams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { mergeTiny, noisePixels, someTokenIds, stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

/** Products of other engines than the server's add in another order. */
const WITHIN = 1e-4;

function connectTo(url: string, options: Partial<RemoteOptions> = {}): RemoteParams {
  const standard = { token: undefined, groups: undefined, timeoutMs: 10_000, retries: 2, onFailure: 'error' as const };
  const remote = connectRemote({ url, ...standard, say: () => {}, ...options });
  onTestFinished(() => remote.close());
  return remote;
}

/** A merged model whose bridges and gates are random numbers, in `<folder>/stirred`. */
async function writeStirred(folder: string, method: string): Promise<string> {
  const model = tinyJointModel(folder, { method });
  stirFusion(model);
  const path = join(folder, 'stirred');
  const { config, assets } = model;
  writeCheckpoint(path, {
    model: { kind: JOINT_KIND.kind, config: { ...config } },
    tensors: await model.tree.toHost(),
    assets,
  });
  model.dispose();
  return path;
}

/** Logits of captions beside images. */
function logits(model: JointModel): Float32Array {
  return tf.tidy(() => {
    const contexts = imageContexts(model, imageStates(model, noisePixels(2)), { bridge: true });
    return captionLogits(model, someTokenIds(2), { bridge: true, contexts }).logits.dataSync() as Float32Array;
  });
}

async function captions(model: JointModel, decoding: Decoding) {
  const states = tf.tidy(() => imageStates(model, noisePixels(2)));
  const found = await captionCandidates(model, states, { decoding, bridge: true });
  states.dispose();
  return found.flat();
}

const GREEDY = Decoding.parse({ method: 'greedy', maxTokens: 6 });
const BEAM = Decoding.parse({ method: 'beam', width: 3, maxTokens: 6 });

describeEachEngine('a model whose groups are in another process', () => {
  it.each([
    ['routed', 'language'],
    ['grouped', 'vision,block0/*'],
    ['crossAttention', '*'],
    ['prefix', 'language,imagePrefix'],
  ])('captions as one with all of them here: %s, %s there', async (method, groups) => {
    const folder = temporaryFolder();
    const path = await writeStirred(folder, method);
    const { url } = await serveParams(folder, ['stirred']);
    const here = loadJointModel(path);
    const [expected, greedy, beam] = [logits(here), await captions(here, GREEDY), await captions(here, BEAM)];
    here.dispose();

    const model = loadJointModel(path);
    const remote = connectTo(url, { groups });
    const before = model.tree.countParameters();
    await takeOverJointGroups(model, remote);
    expect(model.tree.countParameters()).toBeLessThan(before);
    expect(relativeError(logits(model), expected)).toBeLessThan(WITHIN);
    const decoded = [await captions(model, GREEDY), await captions(model, BEAM)];
    for (const [i, all] of [greedy, beam].entries()) {
      expect(decoded[i].map(({ caption }) => caption)).toEqual(all.map(({ caption }) => caption));
      for (const [c, { logProb }] of all.entries())
        expect(Math.abs(decoded[i][c].logProb - logProb)).toBeLessThan(1e-3);
    }
    expect(remote.usage()).toMatchObject({ fellBack: false, retries: 0 });
    model.dispose();
  });

  it('asks once for query, key and value, once for the output and once for the rest of a block', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const { url } = await serveParams(folder, ['language', '--groups', 'language']);
    const local = loadLanguageModel(join(folder, 'language'));
    const decoding = Decoding.parse({ method: 'greedy', maxTokens: 5, minTokens: 5 });
    const [expected] = await generateText(local, 'a red', decoding);
    local.dispose();
    const model = loadLanguageModel(join(folder, 'language'));
    const remote = connectTo(url);
    await remote.takeOver(model.tree, new Map());
    const listed = remote.usage();
    expect(listed).toMatchObject({ roundTrips: 1, groups: 10 });
    const tensors = tf.memory().numTensors;
    const [found] = await generateText(model, 'a red', decoding);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(found.text).toBe(expected.text);
    expect(Math.abs(found.logProb - expected.logProb)).toBeLessThan(1e-3);
    // Two blocks, three requests each, one pass a token.
    expect(remote.usage().roundTrips - listed.roundTrips).toBe(2 * 3 * 5);
    expect(remote.usage().bytesSent).toBeGreaterThan(listed.bytesSent);
    model.dispose();
  });
});

describe('a client of a server of parameters', () => {
  beforeAll(async () => {
    await selectEngine('cpu');
  });

  it('refuses the groups of another model in one line, and keeps its own', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const other = join(folder, 'other');
    mkdirSync(other);
    writeTinyBackbones(other, { language: { normEpsilon: 1e-3 }, texts: ['another text'], vocabSize: 290 });
    const { url } = await serveParams(other, ['vision']);
    const model = loadLanguageModel(join(folder, 'language'));
    expect(await rejectedLine(connectTo(url).takeOver(model.tree, new Map()))).toBe(
      `${url}: holds no group of this model`,
    );
    const joint = loadJointModel(mergeTiny(folder));
    const names = joint.tree.names();
    expect(await rejectedLine(takeOverJointGroups(joint, connectTo(url, { groups: 'language' })))).toMatch(
      /: does not hold 10 of 10 groups, such as 'block0\/attention\/key\/language'; serve them/,
    );
    const [first] = names.filter((name) => name.endsWith('/vision/valueParamTokens'));
    joint.tree.variable(first).assign(tf.ones(joint.tree.variable(first).shape));
    expect(await rejectedLine(takeOverJointGroups(joint, connectTo(url)))).toMatch(
      /: holds the groups of another model: '.*\/vision' has SHA-256 [0-9a-f]{12}… there, [0-9a-f]{12}… in this model/,
    );
    expect(joint.tree.names()).toEqual(names);
    const union = loadJointModel(mergeTiny(folder, { method: 'union' }, 'union'));
    expect(await rejectedLine(takeOverJointGroups(union, connectTo(url)))).toContain("method 'union'");
    for (const each of [model, joint, union]) each.dispose();
  });

  it('of one that is not there, or never answers, fails in one line after its attempts', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const model = loadLanguageModel(join(folder, 'language'));
    const closed = await freePort();
    const gone = connectTo(`http://127.0.0.1:${closed}`, { retries: 2 });
    expect(await rejectedLine(gone.takeOver(model.tree, new Map()))).toMatch(
      /does not answer: nothing listens there; is/,
    );
    expect(gone.usage().retries).toBe(2);
    const deaf = createServer(() => {});
    const port = await listening(deaf);
    const started = performance.now();
    const silent = connectTo(`http://127.0.0.1:${port}`, { retries: 1, timeoutMs: 200 });
    expect(await rejectedLine(silent.takeOver(model.tree, new Map()))).toContain('no answer within 0.2 s');
    expect(performance.now() - started).toBeLessThan(5000);
    model.dispose();
  });

  it('goes on without the groups where that was asked for, and says so once', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const server = await serveParams(folder, ['language']);
    const said: string[] = [];
    const remote = connectTo(server.url, {
      ...{ groups: 'block1/*', onFailure: 'local', retries: 0, timeoutMs: 2000 },
      say: (line) => said.push(line),
    });
    const model = loadLanguageModel(join(folder, 'language'));
    await remote.takeOver(model.tree, new Map());
    const decoding = Decoding.parse({ method: 'greedy', maxTokens: 4 });
    const [whole] = await generateText(model, 'a red', decoding);
    await server.end('SIGTERM');
    const [less] = await generateText(model, 'a red', decoding);
    expect(said).toEqual([expect.stringMatching(/^http:\S+ does not answer \(.*\): going on without its groups$/)]);
    expect(remote.usage().fellBack).toBe(true);
    expect(Math.abs(less.logProb - whole.logProb)).toBeGreaterThan(1e-3);

    // What is left is the model whose last block adds nothing.
    const silenced = loadLanguageModel(join(folder, 'language'));
    for (const name of silenced.tree.names()) {
      if (!/^block1\/.*\/valueParamTokens$/.test(name)) continue;
      const zeros = tf.zeros(silenced.tree.variable(name).shape);
      silenced.tree.variable(name).assign(zeros);
      zeros.dispose();
    }
    const [expected] = await generateText(silenced, 'a red', decoding);
    expect(less.text).toBe(expected.text);
    expect(Math.abs(less.logProb - expected.logProb)).toBeLessThan(1e-5);
    for (const each of [model, silenced]) each.dispose();
  });

  it('refuses to be differentiated through', async () => {
    const folder = temporaryFolder();
    const model = tinyJointModel(folder);
    const { url } = await serveParams(folder, ['merged', '--groups', 'language']);
    await takeOverJointGroups(model, connectTo(url));
    const loss = (): tf.Scalar => captionLogits(model, someTokenIds(1), { bridge: true }).logits.sum() as tf.Scalar;
    expect(() => tf.variableGrads(loss)).toThrow('expected no gradient');
    model.dispose();
  });
});

function listening(server: ReturnType<typeof createServer>): Promise<number> {
  onTestFinished(() => void server.close());
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
