import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { planMerge } from '#fusion';
import type { PipelineOutcome } from '../../experiments/pipeline/pipelineOutcome.js';
import { writePipelineReport } from '../../experiments/pipeline/pipelineReport.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { tinyRecipe } from '../support/tinyJointModel.js';

it('embeds photographs no larger than the page shows them, and links to the page of the model', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'photo.jpg');
  const noise = Buffer.from(Array.from({ length: 900 * 600 * 3 }, (_, i) => (i * 7919) % 251));
  await sharp(noise, { raw: { width: 900, height: 600, channels: 3 } })
    .jpeg({ quality: 100 })
    .toFile(path);
  const file = readFileSync(path);
  writeTinyBackbones(folder);
  const engine = { name: 'cpu', device: 'CPU' };
  const provenance = { engine, node: 'v20', processor: '2 × CPU', seed: 0, commit: null };
  writeFileSync(join(folder, 'provenance.json'), JSON.stringify(provenance));
  writeFileSync(join(folder, 'metrics.jsonl'), '');
  const sample = { imageId: 1, image: { path }, references: ['a'], generated: 'a', exact: null };
  const outcome = {
    name: 'photos',
    command: 'tokenfuse run',
    evaluation: { sets: [{ name: 'seen', numImages: 1, rows: [], domains: [], samples: [sample] }] },
    plan: planMerge(tinyRecipe(), folder).plan,
    mergeReport: { parameters: { vision: 1, language: 1, fusion: 1 }, tensors: [] },
    align: { trainableParameters: 1 },
    page: 'page/index.html',
    checks: [],
    runs: [{ stage: 'vision', runDir: folder }],
  } as unknown as PipelineOutcome;
  const report = join(folder, 'report.html');
  await writePipelineReport(report, outcome);
  expect(readFileSync(report, 'utf8')).toContain('<a href="page/index.html">');
  const [, embedded] = /<img src="data:image\/jpeg;base64,([^"]*)"/.exec(readFileSync(report, 'utf8'))!;
  const bytes = Buffer.from(embedded, 'base64');
  expect(await sharp(bytes).metadata()).toMatchObject({ width: 320, height: 213 });
  expect(bytes.length).toBeLessThan(file.length / 4);
});
