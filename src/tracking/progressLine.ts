/** @file A progress line, with the same text for a terminal (with a bar) and for a log (without). */

export interface ProgressFigures {
  readonly loss?: number;
  readonly unitsPerSecond?: number;
  /** Further metrics, shown by name if there is room. */
  readonly [name: string]: number | undefined;
}

export interface ProgressState {
  readonly label: string;
  readonly unit: 'tokens' | 'images' | 'pairs';
  readonly step: number;
  readonly total: number;
  readonly figures: ProgressFigures;
  /** Undefined until the first step is done. */
  readonly remainingSeconds: number | undefined;
}

const MIN_BAR = 10;
const MAX_BAR = 30;

/** `vision 120/2000 6% loss 1.234 accuracy 0.51 12.3k images/s ETA 3:20` */
export function progressText(state: ProgressState): string {
  const percent = `${Math.floor(100 * share(state))}%`;
  return [state.label, `${state.step}/${state.total}`, percent, ...figureTexts(state), etaText(state)].join(' ');
}

/**
 * `vision [=====-----] 120/2000 loss 1.234 12.3k images/s ETA 3:20` in at most `width` columns: the bar fills the
 * remaining space, further metrics are dropped to make room for it, and whatever still does not fit is cut.
 */
export function progressBar(state: ProgressState, width: number): string {
  const figures = figureTexts(state);
  const required = figures.length - furtherFigures(state.figures).length;
  const position = `${state.step}/${state.total}`;
  const room = (): number => width - [state.label, '[]', position, ...figures, etaText(state)].join(' ').length;
  while (room() < MIN_BAR && figures.length > required) figures.pop();
  const barWidth = Math.min(room(), MAX_BAR);
  const filled = Math.round(barWidth * share(state));
  const bar = barWidth < 1 ? [] : [`[${'='.repeat(filled)}${'-'.repeat(barWidth - filled)}]`];
  return [state.label, ...bar, position, ...figures, etaText(state)].join(' ').slice(0, width);
}

function share({ step, total }: ProgressState): number {
  return total === 0 ? 1 : Math.min(1, step / total);
}

/** Loss and rate first, then the further metrics, which can be dropped from the end. */
function figureTexts({ figures, unit }: ProgressState): string[] {
  const texts: string[] = [];
  if (figures.loss !== undefined) texts.push(`loss ${formatFigure(figures.loss)}`);
  if (figures.unitsPerSecond !== undefined) texts.push(`${formatRate(figures.unitsPerSecond)} ${unit}/s`);
  return [...texts, ...furtherFigures(figures)];
}

function furtherFigures({ loss: _, unitsPerSecond: __, ...further }: ProgressFigures): string[] {
  return Object.entries(further).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${formatFigure(value)}`],
  );
}

function etaText({ remainingSeconds }: ProgressState): string {
  if (remainingSeconds === undefined) return 'ETA -';
  const seconds = Math.round(remainingSeconds);
  const pad = (n: number): string => String(n).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `ETA ${minutes}:${pad(seconds % 60)}`;
  return `ETA ${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(seconds % 60)}`;
}

/** Four significant digits. */
function formatFigure(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(1) : value.toPrecision(4);
}

/** Three significant digits and a thousands suffix, so that the width is nearly constant. */
function formatRate(value: number): string {
  for (const [unit, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`;
  }
  return String(Number(value.toPrecision(3)));
}
