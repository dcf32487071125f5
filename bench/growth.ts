/**
 * @file Times training steps of one size, its parameter tokens in one group or in several, as growth appends them:
 * `npm run bench:growth -- [engine] [rounds]`.
 *
 * All models have the same number of parameter tokens in every layer, so any difference is what the groups cost. They take turns
 * within a round; times are medians over rounds.
 */
import type { LanguageConfig } from '#language';
import { type EngineName, selectEngine } from '#src/engine';
import { LAYER_NAMES, stackGroups, type TokenFormerConfig } from '#src/tokenformer';
import { languageStep } from './languageStep.js';
import { LANGUAGE_MODEL, SMALL_MODEL } from './models.js';
import { median } from './statistics.js';

const STEPS_A_ROUND = 3;

const [engine = 'auto', rounds = '9'] = process.argv.slice(2);
const { name, device } = await selectEngine(engine as 'auto' | EngineName);
console.log(`${name}: ${device}; medians of ${rounds} rounds of ${STEPS_A_ROUND} steps\n`);
console.log(`${'model'.padEnd(12)}${'groups'.padStart(8)}${'ms/step'.padStart(12)}${'× one group'.padStart(14)}`);
for (const [label, { config, batchSize }] of Object.entries({ small: SMALL_MODEL, medium: LANGUAGE_MODEL })) {
  await compare(label, config, batchSize);
}

async function compare(label: string, config: LanguageConfig, batchSize: number): Promise<void> {
  const contestants = [1, 2, 4].map((groups) => ({
    groups,
    step: languageStep({ ...config, stack: inGroups(config.stack, groups) }, batchSize),
    times: [] as number[],
  }));
  for (let round = -1; round < Number(rounds); round++) {
    for (const { step, times } of contestants) {
      const started = performance.now();
      for (let i = 0; i < STEPS_A_ROUND; i++) await step();
      if (round >= 0) times.push((performance.now() - started) / STEPS_A_ROUND);
    }
  }
  const [{ times: alone }] = contestants;
  for (const { groups, times } of contestants) {
    const ratio = median(times.map((time, round) => time / alone[round]));
    const columns = [
      label.padEnd(12),
      String(groups).padStart(8),
      median(times).toFixed(2).padStart(12),
      ratio.toFixed(3).padStart(14),
    ];
    console.log(columns.join(''));
  }
}

/** The same parameter tokens in several groups. */
function inGroups(stack: TokenFormerConfig, groups: number): TokenFormerConfig {
  const [{ paramTokens }] = stackGroups(stack, 'language');
  const [query, key, value, output, ffn] = LAYER_NAMES.map((layer) => paramTokens[layer] / groups);
  const appended = Array.from({ length: groups - 1 }, (_, i) => ({
    name: `grown${i + 1}`,
    query,
    key,
    value,
    output,
    ffn,
  }));
  return {
    ...stack,
    ...{ qkvParamTokens: query, outputParamTokens: output, ffnParamTokens: ffn },
    ...(appended.length > 0 && { appendedGroups: appended }),
  };
}
