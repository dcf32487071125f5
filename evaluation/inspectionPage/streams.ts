import type { GroupUse, InspectedGroup, Inspection, Stream } from '../inspection/index.js';

/** Streams in the order of the page, with what they are. */
export const STREAMS: readonly { readonly stream: Stream; readonly title: string; readonly note: string }[] = [
  { stream: 'image', title: 'Image tokens', note: 'patches in the vision blocks' },
  {
    stream: 'reading',
    title: 'The image as text reads it',
    note: 'image tokens through the groups that make keys and values of them for text layers',
  },
  { stream: 'text', title: 'Text tokens', note: 'text in the language blocks' },
];

/** A group as one stream used it. */
export interface StreamGroup {
  readonly group: InspectedGroup;
  readonly use: GroupUse;
}

/** The groups that a stream used, in the order of blocks and layers. */
export function groupsOf({ groups }: Inspection, stream: Stream): StreamGroup[] {
  return groups.flatMap((group) => group.uses.filter((use) => use.stream === stream).map((use) => ({ group, use })));
}

/** `ffn`, or the path of a layer outside of the blocks. */
export function layerLabel({ layer, group }: InspectedGroup): string {
  return `${layer} · ${group}`;
}

/** `block 2`, `before the blocks`. */
export function blockLabel(block: number | null): string {
  return block === null ? 'in front of the blocks' : `block ${block}`;
}
