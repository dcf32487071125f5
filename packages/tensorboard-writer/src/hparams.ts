/**
 * @file `HParamsPluginData`, the content of the hparams plugin: an experiment (which hyper-parameters and metrics
 * there are) and the start of a session (the values of this run). Source: plugin_data.proto and api.proto in
 * https://github.com/tensorflow/tensorboard/tree/master/tensorboard/plugins/hparams
 */
import { type BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { readMessage, writeDouble, writeMessage, writeString } from './message.js';

export type HparamValue = string | number | boolean;

export type HparamsContent =
  | {
      readonly type: 'experiment';
      readonly hparams: readonly { readonly name: string; readonly type: 'string' | 'boolean' | 'number' }[];
      readonly metricTags: readonly string[];
      readonly createdSeconds: number;
    }
  | {
      readonly type: 'sessionStart';
      readonly values: Readonly<Record<string, HparamValue>>;
      readonly startSeconds: number;
    };

export const EXPERIMENT_TAG = '_hparams_/experiment';
export const SESSION_START_TAG = '_hparams_/session_start_info';

/** `DataType` of api.proto. */
const DATA_TYPES = ['unset', 'string', 'boolean', 'number'] as const;

/**
 * The messages that make a run a row in the hparams table: an experiment, which names all columns, only with `metricTags`.
 */
export function describeHparams(
  values: Readonly<Record<string, HparamValue>>,
  metricTags: readonly string[] | undefined,
  seconds: number,
): readonly { readonly tag: string; readonly content: HparamsContent }[] {
  const hparams = Object.entries(values).map(([name, value]) => {
    const type = typeof value;
    const usable = type === 'string' || type === 'boolean' || (type === 'number' && Number.isFinite(value));
    if (!usable)
      throw new RangeError(`hparams: expected text, a boolean or a finite number as '${name}', got ${value}`);
    return { name, type: type as 'string' | 'boolean' | 'number' };
  });
  const session = { tag: SESSION_START_TAG, content: { type: 'sessionStart', values, startSeconds: seconds } } as const;
  if (metricTags === undefined) return [session];
  return [
    { tag: EXPERIMENT_TAG, content: { type: 'experiment', hparams, metricTags, createdSeconds: seconds } },
    session,
  ];
}

/** Encodes an `HParamsPluginData` (version 0, the default, is not written). */
export function encodeHparams(content: HparamsContent): Uint8Array {
  const writer = new BinaryWriter();
  if (content.type === 'experiment') {
    writeMessage(writer, 2, () => {
      writeDouble(writer, 3, content.createdSeconds);
      for (const { name, type } of content.hparams) {
        writeMessage(writer, 4, () => {
          writeString(writer, 1, name);
          writer.tag(4, WireType.Varint).int32(DATA_TYPES.indexOf(type));
        });
      }
      for (const tag of content.metricTags) {
        writeMessage(writer, 5, () => writeMessage(writer, 1, () => writeString(writer, 2, tag)));
      }
    });
  } else {
    writeMessage(writer, 3, () => {
      for (const [name, value] of Object.entries(content.values)) {
        writeMessage(writer, 1, () => {
          writeString(writer, 1, name);
          writeMessage(writer, 2, () => writeValue(writer, value));
        });
      }
      writeDouble(writer, 5, content.startSeconds);
    });
  }
  return writer.finish();
}

/** Decodes an `HParamsPluginData`; undefined for the kinds this package does not write (a session's end). */
export function decodeHparams(bytes: Uint8Array): HparamsContent | undefined {
  let content: HparamsContent | undefined;
  readMessage(bytes, {
    2: (reader) => {
      content = readExperiment(reader.bytes());
    },
    3: (reader) => {
      content = readSessionStart(reader.bytes());
    },
  });
  return content;
}

function readExperiment(bytes: Uint8Array): HparamsContent {
  let createdSeconds = 0;
  const hparams: { name: string; type: 'string' | 'boolean' | 'number' }[] = [];
  const metricTags: string[] = [];
  readMessage(bytes, {
    3: (reader) => {
      createdSeconds = reader.double();
    },
    4: (reader) => {
      let [name, type] = ['', 0];
      readMessage(reader.bytes(), {
        1: (inner) => {
          name = inner.string();
        },
        4: (inner) => {
          type = inner.int32();
        },
      });
      const known = DATA_TYPES[type];
      if (known !== undefined && known !== 'unset') hparams.push({ name, type: known });
    },
    5: (reader) =>
      readMessage(reader.bytes(), {
        1: (name) => readMessage(name.bytes(), { 2: (tag) => metricTags.push(tag.string()) }),
      }),
  });
  return { type: 'experiment', hparams, metricTags, createdSeconds };
}

function readSessionStart(bytes: Uint8Array): HparamsContent {
  let startSeconds = 0;
  const values = new Map<string, HparamValue>();
  readMessage(bytes, {
    1: (reader) => {
      let name = '';
      let value: HparamValue | undefined;
      readMessage(reader.bytes(), {
        1: (inner) => {
          name = inner.string();
        },
        2: (inner) => {
          value = readValue(inner);
        },
      });
      if (value !== undefined) values.set(name, value);
    },
    5: (reader) => {
      startSeconds = reader.double();
    },
  });
  return { type: 'sessionStart', values: Object.fromEntries(values), startSeconds };
}

/** `google.protobuf.Value`: a number is field 2, a string 3, a boolean 4. */
function writeValue(writer: BinaryWriter, value: HparamValue): void {
  if (typeof value === 'number') writeDouble(writer, 2, value);
  else if (typeof value === 'string') writeString(writer, 3, value);
  else writer.tag(4, WireType.Varint).bool(value);
}

function readValue(reader: BinaryReader): HparamValue | undefined {
  let value: HparamValue | undefined;
  readMessage(reader.bytes(), {
    2: (inner) => {
      value = inner.double();
    },
    3: (inner) => {
      value = inner.string();
    },
    4: (inner) => {
      value = inner.bool();
    },
  });
  return value;
}
