import { probeScenes, type Scene, sceneProbe } from '#scenes';

export interface SceneScores {
  /** By attribute; null where there was nothing to count. */
  readonly shares: Readonly<Record<string, number | null>>;
  readonly counts: Readonly<Record<string, number>>;
}

/** What captions have right of their scenes, over all of them. */
export function sceneScores(captions: readonly string[], scenes: readonly Scene[]): SceneScores {
  const images = probeScenes(scenes);
  const assessed = captions.map((caption, image) => images.assess(caption, image));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const share = (attribute: string): number | null => {
    const [right, total] = [0, 1].map((at) => sum(assessed.map(({ shares }) => shares[attribute][at])));
    return total === 0 ? null : right / total;
  };
  return {
    shares: Object.fromEntries(sceneProbe.attributes.map((attribute) => [attribute, share(attribute)])),
    counts: Object.fromEntries(
      Object.keys(assessed[0].counts).map((key) => [key, sum(assessed.map(({ counts }) => counts[key]))]),
    ),
  };
}
