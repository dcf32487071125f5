/**
 * @file One tagged value of an event, in the form every TensorBoard reads: `simple_value`, `histo` and `image` for what
 * has a field of its own, a string tensor for text, plugin metadata for text and hyper-parameters. Source: summary.proto
 * and tensor.proto in https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto
 */
import { type BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type Histogram, readHistogram, writeHistogram } from './histogram.js';
import { decodeHparams, encodeHparams, type HparamsContent } from './hparams.js';
import { type EncodedImage, readImage, writeImage } from './image.js';
import { readMessage, writeBytes, writeMessage, writeString } from './message.js';

export type SummaryValue =
  | { readonly kind: 'scalar'; readonly tag: string; readonly value: number }
  | { readonly kind: 'histogram'; readonly tag: string; readonly histogram: Histogram }
  | { readonly kind: 'image'; readonly tag: string; readonly image: EncodedImage }
  | { readonly kind: 'text'; readonly tag: string; readonly markdown: string }
  | { readonly kind: 'hparams'; readonly tag: string; readonly content: HparamsContent }
  /** A kind this package does not write, met in the file of another writer; `plugin` is empty without metadata. */
  | { readonly kind: 'other'; readonly tag: string; readonly plugin: string };

const DT_FLOAT = 1;
const DT_STRING = 7;

/** Writes the fields of a `Summary.Value`. */
export function writeSummaryValue(writer: BinaryWriter, value: Exclude<SummaryValue, { kind: 'other' }>): void {
  writeString(writer, 1, value.tag);
  switch (value.kind) {
    case 'scalar':
      writer.tag(2, WireType.Bit32).float(Math.fround(value.value));
      break;
    case 'image':
      writeMessage(writer, 4, () => writeImage(writer, value.image));
      break;
    case 'histogram':
      writeMessage(writer, 5, () => writeHistogram(writer, value.histogram));
      break;
    case 'text':
      writeMessage(writer, 8, () => {
        writer.tag(1, WireType.Varint).int32(DT_STRING);
        writeMessage(writer, 2, () => {}); // an empty shape: a scalar, which is shown as markdown and not as a table
        writeString(writer, 8, value.markdown);
      });
      writePlugin(writer, 'text', new Uint8Array());
      break;
    case 'hparams':
      // Readers want a tensor in every value; this one, of shape [0], is the shortest.
      writeMessage(writer, 8, () => {
        writer.tag(1, WireType.Varint).int32(DT_FLOAT);
        writeMessage(writer, 2, () => writeMessage(writer, 2, () => writer.tag(1, WireType.Varint).int64(0)));
      });
      writePlugin(writer, 'hparams', encodeHparams(value.content));
  }
}

function writePlugin(writer: BinaryWriter, name: string, content: Uint8Array): void {
  writeMessage(writer, 9, () =>
    writeMessage(writer, 1, () => {
      writeString(writer, 1, name);
      writeBytes(writer, 2, content);
    }),
  );
}

/** Reads a `Summary.Value`. */
export function readSummaryValue(bytes: Uint8Array): SummaryValue {
  let tag = '';
  let plugin = '';
  let content: Uint8Array | undefined;
  let tensor: Uint8Array | undefined;
  let own: ((tag: string) => SummaryValue) | undefined;
  readMessage(bytes, {
    1: (reader) => {
      tag = reader.string();
    },
    2: (reader) => {
      const value = reader.float();
      own = (tag) => ({ kind: 'scalar', tag, value });
    },
    4: (reader) => {
      const image = readImage(reader.bytes());
      own = (tag) => ({ kind: 'image', tag, image });
    },
    5: (reader) => {
      const histogram = readHistogram(reader.bytes());
      own = (tag) => ({ kind: 'histogram', tag, histogram });
    },
    8: (reader) => {
      tensor = reader.bytes();
    },
    9: (reader) =>
      readMessage(reader.bytes(), {
        1: (metadata) =>
          readMessage(metadata.bytes(), {
            1: (inner) => {
              plugin = inner.string();
            },
            2: (inner) => {
              content = inner.bytes();
            },
          }),
      }),
  });
  if (own !== undefined) return own(tag);
  if (plugin === 'text' && tensor !== undefined) return { kind: 'text', tag, markdown: readStringTensor(tensor) };
  const hparams = plugin === 'hparams' && content !== undefined ? decodeHparams(content) : undefined;
  return hparams === undefined ? { kind: 'other', tag, plugin } : { kind: 'hparams', tag, content: hparams };
}

/** The strings of a string tensor, one line each. */
function readStringTensor(bytes: Uint8Array): string {
  const strings: string[] = [];
  readMessage(bytes, { 8: (reader) => strings.push(reader.string()) });
  return strings.join('\n');
}
