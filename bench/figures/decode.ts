import { join } from 'node:path';
import { LANGUAGE_MODEL, writeBenchModel } from '../models.js';
import { type Figure, isPeer, timedRow } from '../results.js';
import { type BenchCase, runRounds } from '../runRounds.js';
import { agreement } from './agreement.js';
import { type FigureContext, MODEL_SIDES, modelTargets, ratioVerdicts, withSides } from './figureContext.js';

const PROMPT_LEN = 64;
const NEW_TOKENS = 64;

/** Of every side, before the first round: our first texts take up to 1.7 times the processor time of later ones, while JavaScript is compiled. */
const WARMUPS = 6;

/** Greedy decoding of one caption-length sequence with a key-value cache, against peers from the same weights. */
export async function decodeFigure(context: FigureContext): Promise<Figure> {
  const folder = writeBenchModel(join(context.folder, 'decode'), LANGUAGE_MODEL);
  const benchCase: BenchCase = {
    name: `${NEW_TOKENS} tokens after ${PROMPT_LEN}, batch 1`,
    workload: { kind: 'decode', folder, promptLen: PROMPT_LEN, newTokens: NEW_TOKENS },
    amount: NEW_TOKENS,
    unit: 'tokens/s',
  };
  const [times] = await withSides(context, MODEL_SIDES, (sides) =>
    runRounds(sides, [benchCase], { rounds: context.rounds, warmups: WARMUPS, minSeconds: 1 }),
  );
  const rows = [timedRow(benchCase, times)];
  const logProbs = new Map([...times].map(([side, { rounds }]) => [side, rounds.flatMap(({ logProb }) => logProb ?? [])]));
  const ours = logProbs.get('native') ?? [];
  const theirs = new Map([...logProbs].filter(([side]) => isPeer(side)));
  const verdicts = [...ratioVerdicts(rows, modelTargets(3)), ...agreement('log p of what is written', ours, theirs)];
  return { id: 'decode', title: '4. Decoding with a cache', rows, verdicts };
}
