/** The splits of Karpathy's files: https://cs.stanford.edu/people/karpathy/deepimagesent/ */
export const KARPATHY_SPLITS = ['train', 'restval', 'val', 'test'] as const;
export type KarpathySplit = (typeof KARPATHY_SPLITS)[number];

/** The name of an image of such a file, from the image folder: `filepath` is a folder in it. */
export function karpathyFileName({ filename, filepath }: { filename: string; filepath?: string | undefined }): string {
  return filepath ? `${filepath.replace(/[\\/]+$/, '')}/${filename}` : filename;
}
