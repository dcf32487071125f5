import { z } from 'zod';
import { isJsonlFile } from '../tokenizer/index.js';

const fileList = z.array(z.string().min(1)).min(1);

/**
 * Which text a language model learns from, and how it is cut into sequences. Paths start at the working root.
 *
 * `packed`: one stream of all documents, cut into windows; no position is wasted, a window may span documents.
 * `documents`: one document per row, cut at seqLen, padded; a row never sees another document.
 */
export const TextDataConfig = z
  .strictObject({
    /** Text files, and JSONL files (`.jsonl`, `.ndjson`). */
    files: fileList,
    /** What a document is in a plain text file; a JSONL file has one per line. */
    documents: z.enum(['file', 'line']).default('file'),
    /** The field of a JSONL line that holds the text; `text` unless given. */
    field: z.string().min(1).optional(),
    layout: z.enum(['packed', 'documents']).default('packed'),
    /** Positions of a sequence: the model reads seqLen tokens and predicts the next one at each. */
    seqLen: z.int().min(1).max(1_048_576),
    /** Text for evaluation alone, in files of its own … */
    heldOutFiles: fileList.optional(),
    /** … or the closing share of `files`: of their tokens when packed, of their documents otherwise. */
    heldOutShare: z.number().gt(0).lt(1).optional(),
  })
  .superRefine((config, context) => {
    if (config.heldOutFiles !== undefined && config.heldOutShare !== undefined) {
      const message = 'expected heldOutFiles or heldOutShare, got both; leave one out';
      context.addIssue({ code: 'custom', path: ['heldOutShare'], message });
    }
    if (config.field !== undefined && ![...config.files, ...(config.heldOutFiles ?? [])].some(isJsonlFile)) {
      const message = 'expected a .jsonl or .ndjson file among the files; plain text has no fields';
      context.addIssue({ code: 'custom', path: ['field'], message });
    }
  });
export type TextDataConfig = z.infer<typeof TextDataConfig>;
