import { COLUMNS, renderTable, wrapText } from '#src/cli';
import { numImageTokens } from '#vision';
import type { MergePlan } from './mergePlan.js';
import { fusionMethod, isLoraGroup } from './methods/index.js';

/** The plan as lines of at most 80 columns. */
export function describePlan(plan: MergePlan): string[] {
  const { config, parameters, groups, gates } = plan;
  const v = config.vision.backbone;
  const l = config.language.backbone;
  const count = (n: number): string => n.toLocaleString('en-US');
  const bridges = groups.filter(({ origin, group }) => origin === 'bridge' && !isLoraGroup(group));
  const inEachBlock = bridges.length / l.stack.numLayers;
  const alike = bridges.length > 1 && bridges.filter(({ block }) => block === 0).length === inEachBlock;
  const method = fusionMethod(config.fusion.method);
  return [
    `method      ${config.fusion.method}, image states ${config.fusion.imageStates}${config.fusion.positionValues ? ', values read positions' : ''}`,
    ...wrapText(`${method.description}${method.paper ? ` (${method.paper})` : ''}`, COLUMNS - 12).map(
      (line) => `            ${line}`,
    ),
    `vision      ${v.stack.numLayers} × ${v.stack.dModel}, ${v.stack.numHeads} heads, ${v.imageSize} px, ${numImageTokens(v)} tokens, ${count(parameters.vision)} parameters`,
    `language    ${l.stack.numLayers} × ${l.stack.dModel}, ${l.stack.numHeads} heads, vocabulary ${count(l.vocabSize)}, ${count(parameters.language)} parameters`,
    `tokenizer   ${config.language.tokenizer.kind === 'bpe' ? 'its own byte-level BPE' : config.language.tokenizer.encoding}`,
    `bridge      ${bridges.length} ${config.fusion.bridge.kind} groups of ${config.fusion.bridge.tokens} tokens${alike ? `: ${inEachBlock} in each of ${l.stack.numLayers} blocks` : ''}`,
    ...(config.fusion.lora
      ? [`LoRA        rank ${config.fusion.lora.rank} beside every layer: ${config.fusion.lora.backbones.join(', ')}`]
      : []),
    ...(config.fusion.imageGate === 'closed'
      ? ['image gate  closed: a softmax of its own for the image, behind a gate per head']
      : []),
    ...(gates.length > 0 ? [`gates       ${gates.length}, tanh, zero at first`] : []),
    ...(method.changesBackbones ? ['changes     text alone and image states differ from those of the backbones'] : []),
    `trainable   ${count(parameters.fusion)} of ${count(parameters.vision + parameters.language + parameters.fusion)} parameters`,
    `memory      ${(plan.bytes / 2 ** 20).toFixed(1)} MiB`,
  ];
}

/** Groups, parameter tokens and parameters of every layer of the merged model, as a table of at most 80 columns. */
export function planTable({ groups }: MergePlan): string {
  const keys = [...new Set(groups.map(({ block, layer }) => `${block} ${layer}`))];
  const rows = keys.map((key) => {
    const own = groups.filter(({ block, layer }) => `${block} ${layer}` === key);
    const parameters = own.reduce((sum, { parameters: count }) => sum + count, 0);
    return [
      String(own[0].block),
      own[0].layer,
      own.map(({ group, numParamTokens }) => `${group} ${numParamTokens}`).join(', '),
      parameters.toLocaleString('en-US'),
    ];
  });
  return renderTable(['block', 'layer', 'groups and their parameter tokens', 'parameters'], rows);
}
