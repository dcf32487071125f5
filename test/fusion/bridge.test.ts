import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { attachBridge, extractBridge, type FusionInput, loadJointModel, readMergeReport, unmerge } from '#fusion';
import { selectEngine } from '#src/engine';
import { readGroupFile, writeGroupFile } from '#src/groups';
import { findCheckpoint, readCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { alignTiny } from '../support/tinyAlign.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { writeTinyGroup } from '../support/tinyGroups.js';
import { mergeTiny } from '../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

/** A folder with an aligned model `align`, and `bridge.safetensors` taken out of it. */
async function folderWithBridge(fusion: Parameters<typeof mergeTiny>[1] = {}) {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  await writeTinyCaptions(folder);
  mergeTiny(folder, fusion);
  const { runDir } = await alignTiny(folder);
  const bridge = join(folder, 'bridge.safetensors');
  return {
    folder,
    aligned: findCheckpoint(runDir),
    bridge,
    description: await extractBridge(runDir, bridge, 'colours'),
  };
}

const fileOf = (directory: string, name = 'model.safetensors'): Buffer => readFileSync(join(directory, name));

describe('a bridge', () => {
  it.each<FusionInput>([
    { method: 'routed' },
    { method: 'routed', imageGate: 'closed' },
    { method: 'grouped' },
    { method: 'crossAttention' },
  ])('in a file makes the aligned model of the merged one, byte for byte: $method $imageGate', async (fusion) => {
    const { folder, aligned, bridge, description } = await folderWithBridge(fusion);
    const out = join(folder, 'joined');
    await attachBridge(join(folder, 'merged'), bridge, out);
    expect(fileOf(out).equals(fileOf(aligned))).toBe(true);
    expect(fileOf(out, 'merge_report.json').equals(fileOf(aligned, 'merge_report.json'))).toBe(true);
    expect(readCheckpoint(out)).toEqual(readCheckpoint(aligned));
    expect(readGroupFile(bridge).description).toEqual(description);
    expect(description).toMatchObject({ kind: 'bridge', name: 'colours', fusion });
    loadJointModel(out).dispose();
  });

  it('brings its own fusion to a model that was merged otherwise, and the report says so', async () => {
    const { folder, aligned, bridge, description } = await folderWithBridge();
    const other = mergeTiny(folder, { method: 'crossAttention', bridge: { tokens: 2 } }, 'other');
    const out = join(folder, 'joined');
    await attachBridge(other, bridge, out);
    expect(fileOf(out).equals(fileOf(aligned))).toBe(true);
    const report = readMergeReport(out);
    expect(report.recipe.fusion).toEqual(readMergeReport(aligned).recipe.fusion);
    expect(report.parameters.fusion).toBe(description.parameters);
    expect(unmerge(out, join(folder, 'v'), join(folder, 'l')).compared).toBe(report.tensors.length);
  });

  it('is refused by other backbones, and a group of a task in its place', async () => {
    const { folder, bridge } = await folderWithBridge();
    const other = temporaryFolder();
    writeTinyBackbones(other, { language: { ffnParamTokens: 11 } });
    mergeTiny(other);
    const out = join(other, 'joined');
    expect(await rejectedLine(attachBridge(join(other, 'merged'), bridge, out))).toMatch(
      /belongs to another language backbone: it was aligned with the one with SHA-256 [0-9a-f]{12}…/,
    );
    const group = writeTinyGroup(folder, 'language', { name: 'verse' });
    expect(await rejectedLine(attachBridge(join(folder, 'merged'), group, out))).toContain(
      "expected a bridge, got the task group 'verse'",
    );
    expect(existsSync(out)).toBe(false);
  });

  it('is refused with tensors that its fusion does not have, or of other shapes', async () => {
    const { folder, bridge, description } = await folderWithBridge();
    const { tensors } = readGroupFile(bridge);
    const out = join(folder, 'joined');
    const merged = join(folder, 'merged');
    const name = 'block0/attention/query/textBridge/keyParamTokens';
    const { shape, values } = tensors.get(name)!;
    const forged = join(folder, 'forged.safetensors');
    writeGroupFile(forged, description, new Map([...tensors, [name, { shape: [...shape].reverse(), values }]]));
    expect(await rejectedLine(attachBridge(merged, forged, out))).toBe(
      `${forged}: '${name}': expected [4,8] by the model, got [8,4]`,
    );
    writeGroupFile(forged, description, new Map([...tensors, ['block0/ffn/language/tau', { shape: [], values }]]));
    await expect(attachBridge(merged, forged, out)).rejects.toThrow('block0/ffn/language/tau');
    expect(existsSync(out)).toBe(false);
  });

  it('cannot be taken out of a model without one', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const merged = mergeTiny(folder, { bridge: { tokens: 0 } });
    expect(await rejectedLine(extractBridge(merged, join(folder, 'b.safetensors'), 'b'))).toContain(
      'expected bridge groups or gates, the model has none',
    );
  });
});
