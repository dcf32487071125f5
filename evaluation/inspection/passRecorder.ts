import { interruption } from '#src/cli';
import { tf } from '#src/engine';
import {
  type AttentionContext,
  activitySums,
  type BlockLayers,
  type Capture,
  contextLayers,
  LAYER_NAMES,
  LAYER_PATHS,
  layerActivity,
  type ParamTokenGroup,
  type PattentionLayer,
  type PattentionMath,
} from '#src/tokenformer';
import { createGroupTally, type GroupTally, type RowPlaces } from './groupTally.js';
import type { Stream } from './inspection.js';

/** A group as a stream used it. */
export interface RecordedGroup {
  readonly stream: Stream;
  /** `block0/attention/query`, or the path of a layer outside of the blocks. */
  readonly layerPath: string;
  /** The layer whose output it adds to: its own, but for that of a separate attention. */
  readonly sum: string;
  readonly group: ParamTokenGroup;
  readonly tally: GroupTally;
}

/** A layer as a stream uses it. */
export interface RecordedLayer extends Pick<RecordedGroup, 'stream' | 'layerPath'> {
  readonly groups: PattentionLayer;
  /** As `RecordedGroup.sum`; the layer's own path unless given. */
  readonly sum?: string;
}

/** Takes what the layers of one pass read, inside of the pass. */
export interface PassRecorder {
  /** Counts a layer: what it reads, [rows, dIn], and where the rows come from. */
  layer(layer: RecordedLayer, x: tf.Tensor2D, places: RowPlaces): void;
  /** Listens to the blocks of a stream, each layer of which is counted. `placesOf` gives those of a block. */
  listen(
    stream: Stream,
    blocks: readonly BlockLayers[],
    contexts: readonly AttentionContext[],
    placesOf: (block: number) => RowPlaces,
  ): Capture;
  /** Hands over a matrix that is computed in the pass, once the pass is over. */
  read(values: tf.Tensor, take: (values: Float32Array) => void): void;
}

/** Every group that passes used, with its tally. */
export interface GroupRecords {
  /** Runs a pass in a tidy and then counts what it recorded. */
  pass(run: (recorder: PassRecorder) => void): Promise<void>;
  groups(): RecordedGroup[];
}

/** @param numContexts tokens kept of each parameter token, those that used it most */
export function createGroupRecords(math: PattentionMath, numContexts: number): GroupRecords {
  const records = new Map<string, RecordedGroup>();
  const recordOf: RecordOf = ({ stream, layerPath, sum = layerPath }, group) => {
    const key = `${stream} ${layerPath}/${group.name}`;
    let record = records.get(key);
    if (record === undefined) {
      const tally = createGroupTally(group.keyParamTokens.shape[0], numContexts);
      record = { stream, layerPath, sum, group, tally };
      records.set(key, record);
    }
    return record;
  };
  return {
    pass: async (run) => {
      const waiting: { readonly values: tf.Tensor; readonly take: (values: Float32Array) => void }[] = [];
      tf.tidy(() => {
        run(createRecorder(math, recordOf, (values, take) => waiting.push({ values: tf.keep(values), take })));
      });
      try {
        // One after the other: only one matrix of a layer is on the host at a time.
        for (const { values, take } of waiting) {
          interruption.check();
          take((await values.data()) as Float32Array);
          values.dispose();
        }
      } finally {
        tf.dispose(waiting.map(({ values }) => values));
      }
    },
    groups: () => [...records.values()],
  };
}

type RecordOf = (layer: RecordedLayer, group: ParamTokenGroup) => RecordedGroup;

function createRecorder(math: PattentionMath, recordOf: RecordOf, read: PassRecorder['read']): PassRecorder {
  const recorder: PassRecorder = {
    layer: (layer, x, places) => {
      const counts = Float32Array.from(places.items, (item) => (item >= -1 ? 1 : 0));
      // Scores and weights are freed at once; what is read is kept.
      tf.tidy(() => {
        for (const activity of layerActivity(x, layer.groups, math)) {
          const { tally } = recordOf(layer, activity.group);
          let sums: ArrayLike<number> = [];
          read(activitySums(activity, counts), (values) => {
            sums = values;
          });
          read(activity.use, (uses) => tally.add(uses, sums, places));
        }
      });
    },
    listen: (stream, blocks, contexts, placesOf) => (name, compute) => {
      const [, index, layerName] = INPUT.exec(name) ?? [];
      if (index === undefined) return;
      const block = Number(index);
      const groups = layersAt(blocks[block], contexts[block])[layerName];
      if (groups === undefined || groups.length === 0) return;
      const layerPath = `block${block}/${layerName.replace(/^context\//, 'attention/')}`;
      // What a context's groups write adds to the block's own output, unless the context has an attention of its own.
      const sum = contexts[block]?.separate ? name : layerPath;
      recorder.layer({ stream, layerPath, groups, sum }, compute() as tf.Tensor2D, placesOf(block));
    },
    read,
  };
  return recorder;
}

const INPUT = /^block(\d+)\/(.+)\/input$/;

/** The layers of a block, and those that its context brings, by the path at which the block offers what they read. */
function layersAt(layers: BlockLayers, context?: AttentionContext): Partial<Record<string, PattentionLayer>> {
  const own = Object.fromEntries(LAYER_NAMES.map((name) => [LAYER_PATHS[name], layers[name]]));
  return { ...own, ...(context && contextLayers(context)) };
}
