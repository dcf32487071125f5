import { IMAGE_EXTENSIONS, OTHER_IMAGE_EXTENSIONS } from './imageExtensions.js';
import { onlyMember, type ShardMember, type ShardSample } from './shardSamples.js';

/**
 * The image of a sample, or undefined when it has none. One that is not decoded here counts where there is no other, so
 * that decoding refuses it by name.
 *
 * @throws UserError when there are several
 */
export function imageMember(sample: ShardSample): ShardMember | undefined {
  return onlyMember(sample, IMAGE_EXTENSIONS, 'image') ?? onlyMember(sample, OTHER_IMAGE_EXTENSIONS, 'image');
}
