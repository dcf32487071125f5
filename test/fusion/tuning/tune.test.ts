import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { TuneExperiment } from '#fusion';
import { attachLanguageGroup, type LanguageModel, languageHidden, languageLogits, loadLanguageModel } from '#language';
import { selectEngine, tf } from '#src/engine';
import { readGroupFile, requireTaskGroup } from '#src/groups';
import { readSafetensors } from '#src/storage';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, readCheckpoint } from '#src/training';
import { visionHeadOf } from '#vision';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { rejectedLine } from '../../support/thrown.js';
import { writeTinyBackbones } from '../../support/tinyBackbones.js';
import { someTokenIds } from '../../support/tinyJointModel.js';
import { tinyTuning, tuneTiny, writeRhymes } from '../../support/tinyTune.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

function folderToTune(): string {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  writeRhymes(folder);
  return folder;
}

function logits({ tree, config }: LanguageModel): Float32Array {
  return tf.tidy(
    () => languageLogits(tree, languageHidden(tree, config, someTokenIds(2)).hidden).dataSync() as Float32Array,
  );
}

const GROUP = /\/language\.rhymes\//;

describe('tuning a language backbone', () => {
  it.each(['tokens', 'lora'] as const)(
    '%s: trains a group alone, which the backbone takes from its file',
    async (method) => {
      const folder = folderToTune();
      const before = readCheckpoint(join(folder, 'language')).tensors;
      const numTensors = tf.memory().numTensors;
      const { runDir, group, last, bestStep, trainableParameters, lines } = await tuneTiny(
        folder,
        tinyTuning({ method }),
      );
      expect(tf.memory().numTensors).toBe(numTensors);
      // Two blocks, five layers, three tokens, keys and values of width 8.
      expect(trainableParameters).toBe(2 * 5 * 3 * 16);
      expect(lines).toContain('480 parameters are trained, 3,312 are frozen');

      const { tensors } = readCheckpoint(findCheckpoint(runDir));
      for (const [name, tensor] of before) expect(tensors.get(name), name).toEqual(tensor);
      const moments = readSafetensors(join(findCheckpoint(runDir), 'optimizer.safetensors')).tensors;
      expect([...moments.keys()].filter((name) => !GROUP.test(name))).toEqual([]);
      expect(moments.size).toBe(2 * 2 * 5 * 2);

      const { description } = requireTaskGroup(readGroupFile(group!));
      expect(description).toMatchObject({
        group: { name: 'rhymes', query: 3, ffn: 3, ...(method === 'lora' && { kind: 'linear' }) },
        parameters: 480,
        origin: { step: bestStep, metric: 'validation/loss', experiment: { name: 'tune', model: 'language' } },
      });
      const [start] = readMetrics(runDir);
      expect(last['validation/loss']).toBeLessThan(start.values['validation/loss']);

      const whole = loadLanguageModel(runDir);
      const attached = await attachLanguageGroup(loadLanguageModel(join(folder, 'language')), group!);
      expect(logits(attached)).toEqual(logits(whole));
      whole.dispose();
      attached.dispose();
    },
  );

  it('full: trains all parameters of a copy', async () => {
    const folder = folderToTune();
    const before = readCheckpoint(join(folder, 'language')).tensors;
    const { runDir, group, trainableParameters } = await tuneTiny(
      folder,
      tinyTuning({ method: 'full', group: undefined }),
    );
    expect(group).toBeNull();
    expect(trainableParameters).toBe(3312);
    expect(readCheckpoint(join(folder, 'language')).tensors).toEqual(before);
    const name = 'block0/ffn/language/valueParamTokens';
    expect(readCheckpoint(findCheckpoint(runDir)).tensors.get(name)).not.toEqual(before.get(name));
  });

  it('ended and resumed gives the bytes of an unbroken run', async () => {
    const folder = folderToTune();
    const whole = await tuneTiny(folder, tinyTuning(), { runName: 'whole' });
    const stop = (line: string): void => {
      if (line.includes('step 4:')) throw new Error('enough');
    };
    await expect(tuneTiny(folder, tinyTuning(), { onLine: stop })).rejects.toThrow('enough');
    expect(existsSync(join(folder, 'tune', 'rhymes.safetensors'))).toBe(false);
    const { runDir, group } = await tuneTiny(folder, tinyTuning(), { resume: true });
    expect(readFileSync(group!).equals(readFileSync(whole.group!))).toBe(true);
    const [a, b] = [runDir, whole.runDir].map((dir) => readFileSync(join(findCheckpoint(dir), 'model.safetensors')));
    expect(a.equals(b)).toBe(true);
  });

  it('refuses a name that the model has, and longer text than the model was trained with', async () => {
    const folder = folderToTune();
    await tuneTiny(folder);
    expect(await rejectedLine(tuneTiny(folder, tinyTuning({ model: 'tune' }), { runName: 'again' }))).toBe(
      "group.name: expected a new name, the model has a group 'rhymes' already",
    );
    const data = { files: ['rhymes.txt'], seqLen: 129, validationShare: 0.2 };
    expect(await rejectedLine(tuneTiny(folder, tinyTuning({ language: { data } }), { runName: 'long' }))).toContain(
      'language.data.seqLen: expected at most 128',
    );
  });
});

describe('tuning a vision backbone', () => {
  /** A folder per brightness, each with six images. */
  async function folderOfShades(): Promise<string> {
    const folder = folderToTune();
    for (const name of ['dark', 'light']) {
      mkdirSync(join(folder, 'shades', name), { recursive: true });
      for (let i = 0; i < 6; i++) {
        const shade = name === 'dark' ? 10 * i : 255 - 10 * i;
        const background = { r: shade, g: shade, b: shade };
        const image = sharp({ create: { width: 16, height: 16, channels: 3, background } });
        await image.png().toFile(join(folder, 'shades', name, `${i}.png`));
      }
    }
    return folder;
  }

  const shades = (given: Record<string, unknown> = {}): Record<string, unknown> => ({
    model: 'vision',
    group: { name: 'shades', tokens: { ffn: 4 } },
    language: undefined,
    vision: {
      objectives: [{ kind: 'classify' }],
      data: { train: { kind: 'classFolders', path: 'shades', validationShare: 0.34, ...given } },
    },
  });

  it('trains a group and a head, and keeps both in the file', async () => {
    const folder = await folderOfShades();
    const before = readCheckpoint(join(folder, 'vision')).tensors;
    const { runDir, group, last, trainableParameters } = await tuneTiny(folder, tinyTuning(shades()));
    expect(trainableParameters).toBe(2 * 4 * 16 + 8 * 2 + 2);
    expect(last['validation/accuracy']).toBeGreaterThanOrEqual(0.5);
    const { tensors } = readCheckpoint(findCheckpoint(runDir));
    for (const [name, tensor] of before) expect(tensors.get(name), name).toEqual(tensor);
    const file = requireTaskGroup(readGroupFile(group!));
    expect(file.tensors.get('vision/head/classify/kernel')).toEqual(tensors.get('vision/head/classify/kernel'));
    expect(visionHeadOf(file.description.head, group!)).toEqual({
      objectives: [{ kind: 'classify', weight: 1 }],
      labels: { classNames: ['dark', 'light'] },
    });
  });

  it('goes on with the head of a model that predicts the same', async () => {
    const folder = await folderOfShades();
    const full = await tuneTiny(folder, tinyTuning({ ...shades(), method: 'full', group: undefined }), {
      runName: 'full',
    });
    const none = { steps: 0, batchSize: 4, learningRate: 0.03 };
    const again = await tuneTiny(folder, tinyTuning({ ...shades(), model: 'full', training: none }), {
      runName: 'again',
    });
    const [a, b] = [full, again].map(({ runDir }) => readCheckpoint(findCheckpoint(runDir)).tensors);
    expect(b.get('vision/head/classify/kernel')).toEqual(a.get('vision/head/classify/kernel'));
  });

  it('trains the group by masked patches, which run the backbone on some patches alone', async () => {
    const folder = await folderOfShades();
    const { vision, ...others } = shades();
    const objectives = [{ kind: 'maskedPatches', decoderModel: 8, decoderHeads: 2 }];
    const { runDir } = await tuneTiny(folder, tinyTuning({ ...others, vision: { ...(vision as object), objectives } }));
    const moments = readSafetensors(join(findCheckpoint(runDir, 'last'), 'optimizer.safetensors')).tensors;
    expect([...moments.keys()]).toContain('block0/ffn/vision.shades/valueParamTokens/adamM');
  });

  it('learns from a teacher, which has the group too and stays the backbone in everything else', async () => {
    const folder = await folderOfShades();
    const before = readCheckpoint(join(folder, 'vision')).tensors;
    const { vision, ...others } = shades();
    const distilled = { kind: 'selfDistillation', prototypes: 8, headHidden: 8, headOutput: 4, momentum: 0.5 };
    const numTensors = tf.memory().numTensors;
    const { runDir } = await tuneTiny(
      folder,
      tinyTuning({ ...others, vision: { ...(vision as object), objectives: [distilled] } }),
    );
    expect(tf.memory().numTensors).toBe(numTensors);
    const teacher = readSafetensors(join(findCheckpoint(runDir, 'last'), 'teacher.safetensors')).tensors;
    for (const [name, tensor] of before) expect(teacher.get(`selfDistillation/${name}`), name).toEqual(tensor);
    expect([...teacher.keys()]).toContain('selfDistillation/block0/ffn/vision.shades/valueParamTokens');
  });

  it('refuses images that are prepared otherwise than the backbone knows them', async () => {
    const folder = await folderOfShades();
    expect(await rejectedLine(tuneTiny(folder, tinyTuning(shades({ resize: 'cover' }))))).toBe(
      'vision.data.train: expected resize stretch with background [255,255,255], as the backbone was trained, got cover with [255,255,255]',
    );
  });
});

it.each([
  [{ language: undefined }, 'expected language or vision with data, got neither'],
  [{ method: 'full' }, 'has no effect with method full'],
  [{ group: undefined }, 'expected a group to train by method tokens, got none'],
  [{ group: { name: 'x', tokens: { ffn: 0 } } }, 'expected parameter tokens in a layer, got none'],
])('an experiment says what it lacks: %j', (given, message) => {
  const result = TuneExperiment.safeParse({ ...tinyTuning(), ...given });
  expect(result.error?.issues.map((issue) => issue.message).join()).toContain(message);
});
