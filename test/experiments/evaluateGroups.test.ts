import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readEvaluation } from '#evaluation';
import { attachJointGroup, loadJointModel } from '#fusion';
import { readGroupFile } from '#src/groups';
import { inputsOf, writeCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { writeTinyGroup } from '../support/tinyGroups.js';
import { mergeTiny } from '../support/tinyJointModel.js';
import { tokenfuse, writeExperiment } from '../support/tokenfuse.js';

it('an evaluation with groups is that of the model with these groups in it, words traced', {
  timeout: 60_000,
}, async () => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  await writeTinyCaptions(folder);
  const merged = mergeTiny(folder);
  const groups = [
    writeTinyGroup(folder, 'language', { name: 'verse', kind: 'linear' }),
    writeTinyGroup(folder, 'vision', { name: 'sketch' }),
  ];
  let model = loadJointModel(merged);
  for (const group of groups) model = await attachJointGroup(model, group);
  writeCheckpoint(join(folder, 'grouped'), {
    model: { kind: 'fusion', config: model.config },
    tensors: await model.tree.toHost(),
    assets: new Map([...model.assets].filter(([name]) => name === 'tokenizer.json')),
  });
  model.dispose();
  const evaluation = {
    kind: 'evaluate',
    name: 'evaluation',
    sets: [{ name: 'seen', captions: 'captions.json' }],
    decoding: { method: 'greedy', maxTokens: 4 },
    bootstrapSamples: 5,
    controls: { randomVision: false },
    retrieval: { poolSize: 0 },
    report: { examples: 2 },
  };
  writeExperiment(folder, { ...evaluation, model: 'merged' }, 'attached');
  writeExperiment(folder, { ...evaluation, model: 'grouped' }, 'whole');
  const evaluated = async (name: string, ...options: string[]) => {
    const words = ['evaluate', `${name}.yaml`, '--out', name, ...options];
    const { code, stderr } = await tokenfuse(words, folder);
    expect(code, stderr).toBe(0);
    return readEvaluation(join(folder, name)).sets;
  };
  const attached = await evaluated('attached', ...groups.flatMap((group) => ['--group', group]));
  expect(attached).toEqual(await evaluated('whole'));
  expect(Object.entries(inputsOf(join(folder, 'attached')) ?? {}).slice(1)).toEqual(
    groups.map((group) => [`group ${group}`, readGroupFile(group).sha256]),
  );
  const [without] = await evaluated('attached', '--overwrite');
  expect(without.rows[0].captionNll).not.toBe(attached[0].rows[0].captionNll);
});
