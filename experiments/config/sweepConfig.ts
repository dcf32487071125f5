import { z } from 'zod';
import { didYouMean, namesInLine } from '#src/errors';
import { GrowthConfig } from '#src/stacks';
import { TokensByLayer } from '#src/tokenformer';
import { STUDY_SCORES, slug } from './studyConfig.js';

/** The stage before one in its row. */
export const PREVIOUS = 'previous';

const StageName = z
  .string()
  .regex(/^[A-Za-z][\w-]{0,59}$/, 'expected letters, digits, - and _, a letter first')
  .refine((name) => name !== PREVIOUS, `expected another name than '${PREVIOUS}', which is the stage before`);
const words = z.array(z.string().regex(/^[^=]+=/, 'expected key=value'));
const of = z.string().min(1).default(PREVIOUS).describe('the stage whose model it takes');
const seeds = z.array(z.int().min(0)).min(1);
const scalar = z.union([z.number(), z.boolean(), z.string().min(1)]);

const Grow = z
  .strictObject({
    of,
    by: GrowthConfig.describe('what it grows by, as in training.stages'),
    backbone: z.enum(['vision', 'language']).optional().describe('of a merged model: which one grows'),
    optimizer: z
      .enum(['reset', 'keep'])
      .default('reset')
      .describe('moments of AdamW: none, or kept, with zeros for what is new'),
  })
  .describe('a larger model out of the last checkpoint of a stage; the seed draws what is new');
export type Grow = z.output<typeof Grow>;

const Shrink = z
  .strictObject({
    of,
    share: z.number().gt(0).lt(1).optional().describe('of the parameter tokens of every layer to drop'),
    tokens: TokensByLayer.optional().describe('parameter tokens to drop, by layer; instead of share'),
    batches: z.int().positive().optional().describe('batches of training data that their use is measured on'),
  })
  .refine(({ share, tokens }) => (share === undefined) !== (tokens === undefined), 'expected share or tokens')
  .describe('a smaller model out of a run');
export type Shrink = z.output<typeof Shrink>;

/** What a stage does. */
const WORK = ['file', 'grow', 'shrink', 'command'] as const;

const SweepStage = z
  .strictObject({
    extends: z
      .union([StageName, z.array(StageName).min(1)])
      .optional()
      .describe(
        'stages that this one is like, the later ones before the earlier: its file, from and set are added to theirs',
      ),
    file: z.string().min(1).optional().describe("an experiment file, from this file's folder"),
    grow: Grow.optional(),
    shrink: Shrink.optional(),
    command: z
      .array(z.string().min(1))
      .min(2)
      .optional()
      .describe("words of any other command that writes {out}, such as [data, text, sotu, --out, '{out}']"),
    from: z
      .record(z.string().min(1), z.string().min(1))
      .default({})
      .describe(
        'keys of the file that are paths of other stages: initFrom.checkpoint: previous, tokenizer.path: tokenizer/tokenizer.json',
      ),
    set: words.default([]).describe('changes to the file, key=value as --set takes them; {seed} is the seed'),
  })
  .superRefine((stage, context) => {
    const given = WORK.filter((key) => stage[key] !== undefined);
    const say = (message: string): void => context.addIssue({ code: 'custom', message });
    if (given.length > 1) say(`expected one of ${WORK.join(', ')}; got ${given.join(', ')}`);
    const [work] = given;
    const isForFiles = stage.extends !== undefined || stage.set.length > 0 || Object.keys(stage.from).length > 0;
    if (work !== undefined && work !== 'file' && isForFiles) {
      say(`extends, from and set are for stages with a file, got ${work}`);
    }
  });
export type SweepStage = z.output<typeof SweepStage>;

const SweepRow = z.strictObject({
  name: z.string().min(1).describe('name of the row in tables'),
  line: z
    .string()
    .min(1)
    .optional()
    .describe('line of the figures that its points are on; a line of its own unless given'),
  stages: z.array(StageName).min(1).describe('its stages, in the order of the work; those they take besides are found'),
  set: z.record(StageName, words).default({}).describe('further changes in this row, by stage'),
});
export type SweepRow = z.output<typeof SweepRow>;

const RandomKey = z
  .strictObject({
    from: z.number().describe('the least value'),
    to: z.number().describe('the largest'),
    log: z.boolean().default(false).describe('uniform in the logarithm'),
  })
  .refine(({ from, to, log }) => from < to && (!log || from > 0), 'expected from < to, above 0 with log');
export type RandomKey = z.output<typeof RandomKey>;

const Random = z
  .strictObject({
    draws: z.int().positive().describe('points that are drawn; every row is run at each'),
    seed: z.int().default(0).describe('draws them'),
    keys: z
      .record(z.string(), z.union([z.array(scalar).min(1), RandomKey]))
      .describe('stage.key: a list of values, or a range { from, to, log }'),
  })
  .describe('random search');

const SweepScore = z
  .strictObject({
    name: z.string().min(1).describe('name of the column'),
    stage: z
      .union([StageName, z.array(StageName).min(1)])
      .optional()
      .describe("the stage that it is read of, or several, of which a row has one; the row's last one unless given"),
    metric: z.string().min(1).optional().describe('of its metrics.jsonl, such as validation/loss or train/flops'),
    take: z
      .enum(['last', 'first', 'lowest', 'highest'])
      .optional()
      .describe('of the values of the metric; last unless given'),
    evaluation: z.enum(STUDY_SCORES).optional().describe('a score of its evaluation, instead of a metric'),
    set: z.string().min(1).optional().describe('the test set of the evaluation; the first unless given'),
  })
  .superRefine(({ metric, take, evaluation, set }, context) => {
    const say = (message: string): void => context.addIssue({ code: 'custom', message });
    if ((metric === undefined) === (evaluation === undefined)) say('expected metric or evaluation');
    if (take !== undefined && metric === undefined) say('take is for a metric');
    if (set !== undefined && evaluation === undefined) say('set is for an evaluation');
  });
export type SweepScore = z.output<typeof SweepScore>;

const Figure = z.strictObject({
  name: z
    .string()
    .regex(/^[\w-]+$/, 'expected letters, digits, - and _')
    .describe("of its file, after the sweep's"),
  title: z.string().min(1).describe('what it shows, where it stands in a text'),
  x: z.string().min(1).describe('a score, or a key of the grid or the random search'),
  y: z.string().min(1).describe('a score'),
  logX: z.boolean().default(false).describe('logarithmic x axis'),
  logY: z.boolean().default(false).describe('logarithmic y axis'),
});
export type SweepFigure = z.output<typeof Figure>;

const Axis = z.strictObject({
  title: z.string().min(1).describe('what its entries are'),
  keys: z
    .array(z.string().min(1))
    .min(1)
    .describe("keys of the grid whose values, after the row's name, make an entry"),
});

const Matrix = z.strictObject({
  name: z
    .string()
    .regex(/^[\w-]+$/, 'expected letters, digits, - and _')
    .describe("of its file, after the sweep's"),
  title: z.string().min(1).describe('what it shows, where it stands in a text'),
  across: Axis.describe('the columns'),
  down: Axis.describe('the rows'),
  value: z.string().min(1).describe('a score'),
});
export type SweepMatrix = z.output<typeof Matrix>;

const Quick = z
  .strictObject({
    seeds: seeds.optional().describe("the sweep's unless given"),
    rows: z.array(z.string()).min(1).optional().describe('names of the rows; all unless given'),
    stages: z.record(StageName, SweepStage).default({}).describe('stages that are others'),
    set: z.record(StageName, words).default({}).describe('further changes, by stage'),
    draws: z.int().positive().optional().describe('points of the random search'),
  })
  .describe('the variant that --quick runs: minutes, and no result');

/** An experiment file whose rows are chains of stages, over several seeds. */
export const SweepExperiment = z
  .strictObject({
    kind: z.literal('sweep'),
    name: z.string().min(1).describe('name of the sweep, and of its folder under runs/'),
    seeds: seeds.describe('every row is run with each'),
    stages: z.record(StageName, SweepStage).describe('what rows are made of, by name'),
    rows: z.array(SweepRow).min(1).describe('what is compared'),
    grid: z
      .record(z.string(), z.array(scalar).min(1))
      .optional()
      .describe('stage.key: values; every row with that stage is run with each'),
    random: Random.optional(),
    scores: z.array(SweepScore).min(1).describe('columns of the table'),
    centre: z.enum(['mean', 'median']).default('mean').describe('over seeds; beside it the lowest and the highest'),
    figures: z.array(Figure).default([]).describe('points at the rows, joined by lines'),
    matrices: z.array(Matrix).default([]).describe('a score by the points of the grid, as a coloured table'),
    quick: Quick.optional(),
  })
  .superRefine((sweep, context) => {
    for (const { path, message } of sweepProblems(sweep)) context.addIssue({ code: 'custom', path, message });
  });
export type SweepExperiment = z.output<typeof SweepExperiment>;

interface Problem {
  readonly path: (string | number)[];
  readonly message: string;
}

/** Names that are nowhere, or twice. */
function sweepProblems({ stages, rows, grid, random, scores, figures, matrices, quick }: SweepExperiment): Problem[] {
  const stageNames = Object.keys(stages);
  const rowNames = rows.map(({ name }) => name);
  const scoreNames = scores.map(({ name }) => name);
  const keys = [...Object.keys(grid ?? {}), ...Object.keys(random?.keys ?? {})];
  const problems: Problem[] = [];
  const among = (known: readonly string[], names: readonly string[], ...path: (string | number)[]): void => {
    for (const name of names) {
      if (known.includes(name)) continue;
      problems.push({
        path,
        message: `expected one of ${namesInLine(known)}; got '${name}'${didYouMean(name, known)}`,
      });
    }
  };
  const unique = (names: readonly string[], key: string): void => {
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined)
      problems.push({ path: [key], message: `expected names of their own, got '${twice}' twice` });
  };
  unique(rowNames.map(slug), 'rows');
  unique([...scoreNames, ...keys], 'scores');
  unique(
    [...figures, ...matrices].map(({ name }) => name),
    'figures',
  );
  for (const [name, { extends: base }] of Object.entries({ ...stages, ...quick?.stages })) {
    among(stageNames, [base ?? []].flat(), 'stages', name, 'extends');
  }
  for (const [i, row] of rows.entries()) {
    among(stageNames, row.stages, 'rows', i, 'stages');
    among(row.stages, Object.keys(row.set), 'rows', i, 'set');
    const twice = row.stages.find((name, at) => row.stages.indexOf(name) !== at);
    if (twice !== undefined)
      problems.push({ path: ['rows', i, 'stages'], message: `expected each once, got ${twice} twice` });
  }
  for (const key of keys) {
    const [stage, inside] = [key.slice(0, key.indexOf('.')), key.slice(key.indexOf('.') + 1)];
    if (!stageNames.includes(stage) || inside === '') {
      problems.push({ path: [grid?.[key] ? 'grid' : 'random'], message: `expected stage.key, got '${key}'` });
    }
  }
  for (const [i, { stage }] of scores.entries()) among(stageNames, [stage ?? []].flat(), 'scores', i, 'stage');
  for (const [i, { x, y }] of figures.entries()) {
    among([...scoreNames, ...keys], [x], 'figures', i, 'x');
    among(scoreNames, [y], 'figures', i, 'y');
  }
  for (const [i, { across, down, value }] of matrices.entries()) {
    among(keys, [...across.keys, ...down.keys], 'matrices', i);
    among(scoreNames, [value], 'matrices', i, 'value');
  }
  if (quick?.rows) among(rowNames, quick.rows, 'quick', 'rows');
  among(stageNames, [...Object.keys(quick?.stages ?? {}), ...Object.keys(quick?.set ?? {})], 'quick');
  return problems;
}
