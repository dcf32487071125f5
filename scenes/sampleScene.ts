import type { Random } from '#src/random';
import { COMBINATIONS, type Colour, type Combination, SIZES, type Size } from './attributes.js';
import type { Ground, Scene, SceneObject } from './scene.js';

export interface SceneSettings {
  readonly imageSize: number;
  readonly minObjects: number;
  readonly maxObjects: number;
  readonly texturedShare: number;
  readonly heldOut: readonly string[];
}

/** Which combinations a scene may show: all, only seen ones, or at least one that is held out. */
export type CombinationRule = 'all' | 'seen' | 'heldOut';

type Rgb = readonly [number, number, number];

const PALETTE: Readonly<Record<Colour, Rgb>> = {
  red: [218, 44, 44],
  green: [48, 168, 66],
  blue: [52, 92, 232],
  yellow: [240, 220, 48],
  purple: [154, 60, 196],
  orange: [244, 136, 28],
  cyan: [48, 210, 222],
  white: [244, 244, 244],
};

/** Largest difference per colour channel (0..255) between an object's paint and its colour. */
const JITTER = 12;

// Lengths are shares of the image side, so that a scene looks the same at every image size.
const EXTENT: Readonly<Record<Size, readonly [number, number]>> = {
  small: [12 / 48, 14 / 48],
  large: [19 / 48, 21 / 48],
};
const BORDER = 1 / 48;
const GAP = 1.5 / 48;
const PLACEMENTS_PER_DRAW = 500;

/**
 * Draws a scene: objects of different combinations, none touching another or the border, on a dark ground.
 *
 * @param random the stream of this scene alone
 */
export function sampleScene(random: Random, settings: SceneSettings, rule: CombinationRule): Scene {
  const { imageSize, minObjects, maxObjects } = settings;
  const numObjects = minObjects + random.integer(maxObjects - minObjects + 1);
  const combinations = drawCombinations(random, numObjects, settings.heldOut, rule);
  for (;;) {
    const kinds = combinations.map((combination) => {
      const size = random.choice(SIZES);
      const [least, most] = EXTENT[size];
      return { combination, size, extent: twoDecimals((least + (most - least) * random.uniform()) * imageSize) };
    });
    for (let attempt = 0; attempt < PLACEMENTS_PER_DRAW; attempt++) {
      const places = kinds.map(({ extent }) => {
        const least = BORDER * imageSize + extent / 2;
        const coordinate = () => twoDecimals(least + (imageSize - 2 * least) * random.uniform());
        return { x: coordinate(), y: coordinate(), extent };
      });
      if (overlaps(places, GAP * imageSize)) continue;
      const objects = kinds.map(({ combination, size }, i): SceneObject => {
        const { colour, shape } = combination;
        return { shape, colour, size, ...places[i], fill: hex(jitter(random, PALETTE[colour], JITTER)) };
      });
      return { imageSize, ground: drawGround(random, settings.texturedShare), objects };
    }
  }
}

function drawCombinations(
  random: Random,
  numObjects: number,
  heldOut: readonly string[],
  rule: CombinationRule,
): Combination[] {
  const isHeldOut = ({ name }: Combination) => heldOut.includes(name);
  const allowed = rule === 'seen' ? COMBINATIONS.filter((combination) => !isHeldOut(combination)) : COMBINATIONS;
  const drawn = rule === 'heldOut' ? [random.choice(COMBINATIONS.filter(isHeldOut))] : [];
  while (drawn.length < numObjects) {
    const combination = random.choice(allowed);
    if (!drawn.includes(combination)) drawn.push(combination);
  }
  return random.shuffled(drawn);
}

function overlaps(places: readonly { x: number; y: number; extent: number }[], gap: number): boolean {
  return places.some((a, i) =>
    places.slice(0, i).some((b) => {
      const apart = (a.extent + b.extent) / 2 + gap;
      return Math.abs(a.x - b.x) < apart && Math.abs(a.y - b.y) < apart;
    }),
  );
}

/** Dark and nearly grey, so that all eight colours stand out. */
function drawGround(random: Random, texturedShare: number): Ground {
  const level = 28 + random.integer(56);
  const fill = hex(jitter(random, [level, level, level], 10));
  return { kind: random.uniform() < texturedShare ? 'noisy' : 'plain', fill, noiseSeed: random.integer(1_000_000) };
}

function jitter(random: Random, colour: Rgb, most: number): number[] {
  return colour.map((channel) => Math.min(255, Math.max(0, channel + random.integer(2 * most + 1) - most)));
}

function hex(channels: readonly number[]): string {
  return `#${channels.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}

function twoDecimals(x: number): number {
  return Math.round(x * 100) / 100;
}
