import { z } from 'zod';
import { CaptionSource } from '#captions/formats';
import { formerKeys } from '#src/config';
import { isJsonlFile } from '../tokenizer/index.js';

const fileList = z.array(CaptionSource).min(1);

const FORMER_KEYS = { heldOutFiles: 'validationFiles', heldOutShare: 'validationShare' };

const Text = z
  .strictObject({
    files: fileList.describe(
      'text files, JSONL files (.jsonl, .ndjson), and captions by their format, { format: coco, path: … }, each a document; ' +
        'paths start at --root',
    ),
    documents: z
      .enum(['file', 'line'])
      .default('file')
      .describe('what one document is in a plain text file; a JSONL file has one per line'),
    field: z.string().min(1).optional().describe("field of a JSONL line that holds the text; 'text' unless given"),
    layout: z
      .enum(['packed', 'documents'])
      .default('packed')
      .describe(
        'packed: one stream of all documents, cut into windows that may span documents; documents: one document a row, cut at ' +
          'seqLen and padded',
      ),
    seqLen: z.int().min(1).max(1_048_576).describe('tokens that the model reads; it predicts the next one at each'),
    validationFiles: fileList.optional().describe('text for validation alone; give these or validationShare'),
    validationShare: z
      .number()
      .gt(0)
      .lt(1)
      .optional()
      .describe(
        'share of the documents kept out of training, drawn over all files; packed text of too few documents for that gives ' +
          'the end of each',
      ),
    validationFrom: z
      .enum(['drawn', 'end'])
      .optional()
      .describe('documents for validationShare: drawn over all files unless given; end: the end of the last file'),
    validationSeed: z.int().optional().describe('draws the documents of validationShare; 0 unless given'),
  })
  .superRefine((config, context) => {
    if (config.validationFiles !== undefined && config.validationShare !== undefined) {
      const message = 'expected validationFiles or validationShare, got both; leave one out';
      context.addIssue({ code: 'custom', path: ['validationShare'], message });
    }
    for (const key of ['validationFrom', 'validationSeed'] as const) {
      if (config[key] === undefined || config.validationShare !== undefined) continue;
      context.addIssue({ code: 'custom', path: [key], message: 'has no effect without validationShare; leave it out' });
    }
    if (config.field !== undefined && ![...config.files, ...(config.validationFiles ?? [])].some(isJsonlFile)) {
      const message = 'expected a .jsonl or .ndjson file among the files; plain text has no fields';
      context.addIssue({ code: 'custom', path: ['field'], message });
    }
  });
/** Which text a language model learns from, and how it is cut into sequences. */
export const TextDataConfig = formerKeys(Text, FORMER_KEYS);
export type TextDataConfig = z.output<typeof TextDataConfig>;

/** The text that a language backbone is pretrained on. */
export const LanguageDataConfig = formerKeys(
  Text.safeExtend({
    maxValidationBatches: z.int().positive().default(20).describe('most batches to read in each validation'),
  }),
  FORMER_KEYS,
);
