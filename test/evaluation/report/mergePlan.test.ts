import { describe, expect, it } from 'vitest';
import { type MergePlanPicture, mergePlanPicture, mergePlanSvg } from '#evaluation/report';
import { type FusionInput, planMerge } from '#fusion';
import type { PlacedGroup, PlanLayout } from '../../../evaluation/report/mergePlanLayout.js';
import { placeMergePlan } from '../../../evaluation/report/mergePlanSvg.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { writeTinyBackbones } from '../../support/tinyBackbones.js';
import { tinyRecipe } from '../../support/tinyJointModel.js';
import { demoPlan } from './demoReport.js';

const LARGE = { numBlocks: 12, qkv: 768, ffn: 3072, bridge: 32, width: 768 };

function boxes(layout: PlanLayout): PlacedGroup[] {
  return layout.blocks.flatMap(({ rows }) => rows.flatMap(({ groups }) => groups));
}

describe('the drawing of a merge', () => {
  it.each([1100, 350])('gives every group its box and no box another’s place, %i pixels wide', (width) => {
    const plan = demoPlan();
    const layout = placeMergePlan(plan, width);
    expect(boxes(layout)).toHaveLength(plan.layers.flatMap(({ groups }) => groups).length);
    for (const row of layout.blocks.flatMap(({ rows }) => rows)) {
      let end = 0;
      for (const { x, width: boxWidth } of row.groups) {
        expect(x).toBeGreaterThanOrEqual(end);
        end = x + boxWidth;
      }
      expect(end).toBeLessThanOrEqual(width);
    }
  });

  it('makes widths proportional to parameter tokens', () => {
    const layout = placeMergePlan(demoPlan(), 1100);
    expect(layout.widened).toBe(false);
    for (const { group, width } of boxes(layout)) expect(width / group.numParamTokens).toBeCloseTo(layout.scale, 9);
  });

  it('widens only boxes too thin for their number, and says so', () => {
    const layout = placeMergePlan(demoPlan(LARGE), 1100);
    expect(layout.widened).toBe(true);
    for (const { group, width } of boxes(layout)) {
      if (group.origin === 'bridge') expect(width).toBeGreaterThan(group.numParamTokens * layout.scale);
      else expect(width / group.numParamTokens).toBeCloseTo(layout.scale, 9);
    }
  });

  it('stands bridges between the backbones, those for image tokens on the vision side', () => {
    const { blocks } = placeMergePlan(demoPlan(), 1100);
    const key = blocks[0].rows.find(({ layer }) => layer.layer === 'key');
    expect(key?.groups.map(({ group }) => group.name)).toEqual(['vision', 'imageBridge', 'textBridge', 'language']);
  });

  it('draws up to six blocks one by one, and runs of equal ones together beyond', () => {
    const titles = (plan: MergePlanPicture) =>
      [...mergePlanSvg(plan).markup.matchAll(/>(blocks? [^<]*)</g)].map(([, title]) => title);
    expect(titles(demoPlan({ ...LARGE, numBlocks: 6 }))).toHaveLength(6);
    expect(titles(demoPlan(LARGE))).toEqual(['blocks 0–11, all alike']);
    const plan = demoPlan(LARGE);
    const other = plan.layers.map((layer) =>
      layer.block === 5 ? { ...layer, groups: layer.groups.filter(({ origin }) => origin !== 'bridge') } : layer,
    );
    expect(titles({ ...plan, layers: other })).toEqual(['blocks 0–4, all alike', 'block 5', 'blocks 6–11, all alike']);
  });

  it('tells name, size, state and users of a group on hover', () => {
    const { markup } = mergePlanSvg(demoPlan());
    expect(markup).toContain(
      '<title>textBridge: 32 parameter tokens, 6,144 parameters, trained, used by text tokens</title>',
    );
    expect(markup).toContain(
      '<title>vision: 384 parameter tokens, 73,728 parameters, frozen, used by image tokens</title>',
    );
  });

  it('frames the layers of a union, whose groups share one norm', () => {
    const frames = (plan: MergePlanPicture) => mergePlanSvg(plan).markup.match(/stroke-dasharray/g)?.length ?? 0;
    expect(frames({ ...demoPlan(), oneNorm: true })).toBe(4 * 5);
    expect(frames(demoPlan())).toBe(0);
  });

  it('draws backbones of different depth, and plans without bridges', () => {
    const plan = demoPlan();
    const layers = plan.layers.map((layer) => ({
      ...layer,
      groups: layer.groups.filter(({ origin }) => origin === 'language' || (origin === 'vision' && layer.block < 2)),
    }));
    const { markup } = mergePlanSvg({ ...plan, layers });
    expect(markup).not.toMatch(/NaN|undefined|bridges/);
    expect(mergePlanSvg({ ...plan, layers: [] }).markup).not.toMatch(/NaN|Infinity/);
  });
});

describe('mergePlanPicture', () => {
  const pictureOf = (fusion: FusionInput): MergePlanPicture => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    return mergePlanPicture(planMerge(tinyRecipe(fusion), folder).plan!, { trained: 1, frozen: 2 });
  };
  /** `group stream` of the groups in a layer of the first block. */
  const groupsOf = ({ layers }: MergePlanPicture, wanted: string) =>
    layers
      .find(({ block, layer }) => block === 0 && layer === wanted)!
      .groups.map(({ name, stream }) => `${name} ${stream}`);

  it('tells which tokens use a group', () => {
    const routed = pictureOf({});
    expect(groupsOf(routed, 'key')).toEqual(['vision image', 'language text', 'textBridge text', 'imageBridge image']);
    expect(groupsOf(routed, 'output')).toEqual(['vision image', 'language text', 'imageBridge image']);
    expect(groupsOf(pictureOf({ method: 'grouped' }), 'ffn')).toEqual(['vision both', 'language both']);
    const cross = pictureOf({ method: 'crossAttention' });
    expect(groupsOf(cross, 'value')).toContain('crossAttention image');
    expect(groupsOf(cross, 'output')).toContain('crossAttention text');
    expect(groupsOf(pictureOf({ method: 'prefix' }), 'prefix')).toEqual(['imagePrefix image']);
  });

  it('takes from the method what it says in words, and whether a layer has one norm', () => {
    const union = pictureOf({ method: 'union', imageStates: 'perLayer' });
    expect(union).toMatchObject({ method: 'union', imageStates: 'perLayer', oneNorm: true });
    expect(union.description).toContain('under one norm');
    expect(pictureOf({ method: 'prefix' }).imageStates).toBeUndefined();
    expect(pictureOf({}).oneNorm).toBe(false);
  });
});
