import { z } from 'zod';
import { parseConfig } from '#src/config';
import { shownText, UserError } from '#src/errors';
import {
  type HostTensor,
  parseJson,
  readSealedSafetensors,
  type SafetensorsHeader,
  writeSealedSafetensors,
} from '#src/storage';
import { AppendedGroup, type ParameterShapes, parameterProblems, valueProblems } from '#src/tokenformer';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal');
const record = z.record(z.string(), z.unknown());
const parameters = z.int().min(1);

/** A group of parameter tokens in every block of one backbone, trained for a task. */
const TaskGroup = z.strictObject({
  kind: z.literal('task'),
  /** Name, parameter tokens in each layer, and Θ. */
  group: AppendedGroup,
  /** The backbone that it was trained on. */
  backbone: z.enum(['vision', 'language']),
  backboneSha256: Sha256,
  /** Scalar parameters, τ not counted. */
  parameters,
  /** What a head of its own predicts; the room of the backbone checks it. */
  head: record.optional(),
  /** What it was trained on, and how well that went. */
  origin: record,
});

/** What fusion adds to two backbones, trained by an alignment. */
const Bridge = z.strictObject({
  kind: z.literal('bridge'),
  name: z.string().min(1),
  visionSha256: Sha256,
  languageSha256: Sha256,
  parameters,
  /** How the backbones are joined; fusion checks it. */
  fusion: record,
  origin: record,
});

const Description = z.discriminatedUnion('kind', [TaskGroup, Bridge]);

/** What a group file says of itself. */
export type GroupDescription = z.output<typeof Description>;
export type TaskGroup = z.output<typeof TaskGroup>;
export type Bridge = z.output<typeof Bridge>;

/** A group that was read and found whole. */
export interface GroupFile<D extends GroupDescription = GroupDescription> {
  readonly path: string;
  readonly description: D;
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly header: SafetensorsHeader;
  /** The seal of the file. */
  readonly sha256: string;
}

/** Key of the description among the file's texts. */
const DESCRIPTION = 'tokenfuseGroup';

/** Ending of the name that commands give such files. */
export const GROUP_SUFFIX = '.safetensors';

/** Writes a group as a file of its own: safetensors with the description among its texts, sealed. Equal content gives equal bytes. */
export function writeGroupFile(
  path: string,
  description: GroupDescription,
  tensors: ReadonlyMap<string, HostTensor>,
): void {
  writeSealedSafetensors(path, tensors, { [DESCRIPTION]: JSON.stringify(description) });
}

/**
 * Reads a group file whole. Whether its tensors fit a model is asked where it is attached.
 *
 * @throws UserError when it is not, byte by byte, as it was written, or holds numbers that are not finite
 */
export function readGroupFile(path: string): GroupFile {
  let text: string | undefined;
  const file = readSealedSafetensors(
    path,
    "a group file, which 'tokenfuse tune' or 'extract-bridge' writes",
    (header) => {
      text = header.metadata[DESCRIPTION];
      if (text === undefined)
        throw new UserError(`${path}: expected a group file, got tensors that say nothing of a group`);
    },
  );
  const description = parseConfig(parseJson(Buffer.from(text as string), path, 'group description'), Description, path);
  const problems = valueProblems(path, file.tensors);
  if (problems.length > 0) throw new UserError(problems.join('\n'));
  return { path, description, ...file };
}

/** The file of a task group. @throws UserError for a bridge */
export function requireTaskGroup({ description, ...file }: GroupFile): GroupFile<TaskGroup> {
  if (description.kind === 'task') return { ...file, description };
  throw new UserError(
    `${file.path}: expected a task group, got the bridge '${shownText(description.name)}'; 'tokenfuse attach-bridge' puts it into a merged model`,
  );
}

/** @throws UserError when the file's tensors are others than the model has parameters for it, one line per problem */
export function refuseOtherTensors({ header }: GroupFile, expected: ParameterShapes): void {
  const problems = parameterProblems(header, expected, 'the model');
  if (problems.length > 0) throw new UserError(problems.join('\n'));
}
