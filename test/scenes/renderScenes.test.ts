import { describe, expect, it } from 'vitest';
import {
  COLOURS,
  GRID_ATTRIBUTES,
  gridCells,
  LEAST_COVER,
  renderScenes,
  type Scene,
  SHAPES,
  SIZES,
  scenesPerSheet,
  shapeContains,
} from '#scenes';
import { sha256 } from '#src/storage';
import { drawScene } from './drawScene.js';

async function pixels(scene: Scene): Promise<(x: number, y: number) => number[]> {
  const [data] = await renderScenes([scene]);
  expect(data).toHaveLength(scene.imageSize ** 2 * 3);
  return (x, y) => [...data.subarray((y * scene.imageSize + x) * 3, (y * scene.imageSize + x) * 3 + 3)];
}

function rgb(fill: string): number[] {
  return [1, 3, 5].map((start) => Number.parseInt(fill.slice(start, start + 2), 16));
}

describe('renderScenes', () => {
  it.each([24, 48, 50, 200])(
    'gives a scene of side %i the pixels it has alone, on any sheet at any place',
    async (imageSize) => {
      const patchSize = imageSize / 2;
      const count = Math.min(19, scenesPerSheet(imageSize) + 3);
      const scenes = Array.from({ length: count }, (_, i) =>
        drawScene(i, 'all', { imageSize, patchSize, texturedShare: 0.5 }),
      );
      expect(new Set(scenes.map(({ ground }) => ground.kind)).size).toBe(2);
      const alone = await Promise.all(scenes.map(async (scene) => sha256((await renderScenes([scene]))[0])));
      expect((await renderScenes(scenes)).map(sha256)).toEqual(alone);
      expect((await renderScenes(scenes.toReversed())).map(sha256)).toEqual(alone.toReversed());
    },
  );

  it('keeps what reaches over the border of a scene out of the scenes beside it', async () => {
    const ground = { kind: 'plain', fill: '#000000', noiseSeed: 0 } as const;
    const plain = (objects: Scene['objects']): Scene => ({ imageSize: 48, ground, objects });
    const object = { ...drawScene(1).objects[0], shape: 'circle', extent: 20, fill: '#ffffff' } as const;
    const spills = [0, 47.5].flatMap((x) => [0, 47.5].map((y) => plain([{ ...object, x, y }])));
    const black = plain([]);
    // Black in the middle of the 3 x 3 and more on every side of it, on rows of four.
    const sheet = [...spills, spills[0], black, ...spills, ...spills, ...spills];
    expect(scenesPerSheet(48)).toBe(16);
    expect(Math.max(...(await renderScenes(sheet))[5])).toBe(0);
  });

  it('draws nothing for no scenes', async () => {
    expect(await renderScenes([])).toEqual([]);
  });

  it.each(SHAPES)('paints the pixels that shapeContains calls inside a %s, and no others', async (shape) => {
    for (const extent of [13, 20]) {
      const object = { ...drawScene(1).objects[0], shape, x: 23.3, y: 24.6, extent, fill: '#ffffff' };
      const ground = { kind: 'plain', fill: '#000000', noiseSeed: 0 } as const;
      const at = await pixels({ imageSize: 48, ground, objects: [object] });
      let wrong = 0;
      let inside = 0;
      for (let y = 0; y < 48; y++) {
        for (let x = 0; x < 48; x++) {
          const contained = shapeContains(object, x + 0.5, y + 0.5);
          inside += Number(contained);
          // Within two grey levels of half cover either answer is right.
          if (Math.abs(at(x, y)[0] - 127.5) > 40 && contained !== at(x, y)[0] > 127) wrong++;
        }
      }
      expect(inside).toBeGreaterThan(0.3 * extent * extent);
      expect(wrong).toBe(0);
    }
  });

  it('textures a noisy ground and no plain one', async () => {
    const cornerLevels = async (texturedShare: number) => {
      const at = await pixels(drawScene(8, 'all', { texturedShare, maxObjects: 1 }));
      const levels = [];
      // One pixel inside the border nothing is drawn.
      for (let x = 0; x < 48; x++) levels.push(at(x, 0)[0]);
      return new Set(levels).size;
    };
    expect(await cornerLevels(0)).toBe(1);
    expect(await cornerLevels(1)).toBeGreaterThan(8);
  });

  it('shows each object in its own paint', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const scene = drawScene(seed);
      const at = await pixels(scene);
      for (const object of scene.objects) {
        // The middle of the band for a ring, the centre for everything else.
        const x = Math.floor(object.x - (object.shape === 'ring' ? 0.385 * object.extent : 0));
        expect(at(x, Math.floor(object.y))).toEqual(rgb(object.fill));
      }
    }
  });
});

describe('gridCells', () => {
  it('names in each cell the object that the picture shows most of there', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const scene = drawScene(seed, 'all', { texturedShare: 0 });
      // The same geometry in colours that tell the objects apart: one pure channel each.
      const objects = scene.objects.map((object, i) => ({ ...object, fill: ['#ff0000', '#00ff00', '#0000ff'][i] }));
      const at = await pixels({ ...scene, objects, ground: { kind: 'plain', fill: '#000000', noiseSeed: 0 } });
      const cells = gridCells(scene, 4);
      for (let cell = 0; cell < 16; cell++) {
        const cover = [0, 0, 0];
        for (let k = 0; k < 144; k++) {
          const level = at((cell % 4) * 12 + (k % 12), Math.floor(cell / 4) * 12 + Math.floor(k / 12));
          for (let i = 0; i < 3; i++) cover[i] += level[i] / 255 / 144;
        }
        const [most, second] = [...cover].sort((a, b) => b - a);
        // Anti-aliased edges make near ties uncertain.
        if (most - second < 0.03 || Math.abs(most - LEAST_COVER) < 0.03) continue;
        const object = most < LEAST_COVER ? undefined : scene.objects[cover.indexOf(most)];
        const expected = object
          ? [COLOURS.indexOf(object.colour) + 1, SHAPES.indexOf(object.shape) + 1, SIZES.indexOf(object.size) + 1]
          : [0, 0, 0];
        expect(cells.slice(cell * 3, cell * 3 + 3)).toEqual(expected);
      }
    }
  });

  it('shows every object in some cell', () => {
    for (let seed = 0; seed < 500; seed++) {
      const scene = drawScene(seed);
      const cells = gridCells(scene, 4);
      for (const { colour, shape } of scene.objects) {
        const labels = [COLOURS.indexOf(colour) + 1, SHAPES.indexOf(shape) + 1];
        const found = Array.from({ length: 16 }, (_, cell) => cells.slice(cell * 3, cell * 3 + 2));
        expect(found).toContainEqual(labels);
      }
    }
  });

  it('says what its numbers mean', () => {
    expect(GRID_ATTRIBUTES.map(({ name, values }) => [name, values.length, values[0]])).toEqual([
      ['colour', 9, 'none'],
      ['shape', 7, 'none'],
      ['size', 3, 'none'],
    ]);
  });
});
