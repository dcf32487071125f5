/** @file A progress line, with the same text for a terminal (with a bar) and for a log (without). */

export interface ProgressFigures {
  readonly loss?: number;
  readonly unitsPerSecond?: number;
  /** Further metrics, shown by name if there is room. */
  readonly [name: string]: number | undefined;
}

export interface ProgressState {
  readonly label: string;
  readonly unit: string;
  readonly step: number;
  readonly total: number;
  readonly figures: ProgressFigures;
  /** Undefined until the first step is done. */
  readonly remainingSeconds: number | undefined;
}

const MIN_BAR = 10;
const MAX_BAR = 30;

/** Columns of a figure, a rate and a time on a terminal, so that what follows them stays where it is. */
const FIGURE_WIDTH = 6;
const RATE_WIDTH = 5;
const TIME_WIDTH = 7;

type Pad = (text: string, width: number) => string;
const asItIs: Pad = (text) => text;
const rightAligned: Pad = (text, width) => text.padStart(width);

/** `vision 120/2000 6% loss 1.234 accuracy 0.5100 12.3k images/s ETA 3:20` */
export function progressText(state: ProgressState): string {
  const percent = `${Math.floor(100 * share(state))}%`;
  return [
    state.label,
    `${state.step}/${state.total}`,
    percent,
    ...figureTexts(state, asItIs),
    etaText(state, asItIs),
  ].join(' ');
}

/** Whether a line is what `progressText` gives. */
export function isProgressText(line: string): boolean {
  return /(^| )\d+\/\d+ \d+% .*ETA /.test(line);
}

/**
 * `vision [=====-----]  120/2000 loss  1.234 12.3k images/s ETA    3:20` in at most `width` columns: the bar fills the
 * remaining space, further metrics are dropped to make room for it, and whatever still does not fit is cut. Figures are padded:
 * the bar keeps its width while their names stay the same.
 */
export function progressBar(state: ProgressState, width: number): string {
  const figures = figureTexts(state, rightAligned);
  const required = figures.length - furtherFigures(state.figures, rightAligned).length;
  const total = String(state.total);
  const position = `${String(state.step).padStart(total.length)}/${total}`;
  const eta = etaText(state, rightAligned);
  const room = (): number => width - [state.label, '[]', position, ...figures, eta].join(' ').length;
  while (room() < MIN_BAR && figures.length > required) figures.pop();
  const barWidth = Math.min(room(), MAX_BAR);
  const filled = Math.round(barWidth * share(state));
  const bar = barWidth < 1 ? [] : [`[${'='.repeat(filled)}${'-'.repeat(barWidth - filled)}]`];
  return [state.label, ...bar, position, ...figures, eta].join(' ').slice(0, width);
}

function share({ step, total }: ProgressState): number {
  return total === 0 ? 1 : Math.min(1, step / total);
}

/** Loss and rate first, then the further metrics, which can be dropped from the end. */
function figureTexts({ figures, unit }: ProgressState, pad: Pad): string[] {
  const texts: string[] = [];
  if (figures.loss !== undefined) texts.push(`loss ${pad(formatFigure(figures.loss), FIGURE_WIDTH)}`);
  if (figures.unitsPerSecond !== undefined) {
    texts.push(`${pad(formatRate(figures.unitsPerSecond), RATE_WIDTH)} ${unit}/s`);
  }
  return [...texts, ...furtherFigures(figures, pad)];
}

function furtherFigures({ loss: _, unitsPerSecond: __, ...further }: ProgressFigures, pad: Pad): string[] {
  return Object.entries(further).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${pad(formatFigure(value), FIGURE_WIDTH)}`],
  );
}

function etaText({ remainingSeconds }: ProgressState, pad: Pad): string {
  const time = remainingSeconds === undefined ? '-' : timeText(Math.round(remainingSeconds));
  return `ETA ${pad(time, TIME_WIDTH)}`;
}

/** In at most seven columns. */
function timeText(seconds: number): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes}:${two(seconds % 60)}`;
  if (hours < 10) return `${hours}:${two(minutes % 60)}:${two(seconds % 60)}`;
  return hours < 100 ? `${hours} h ${two(minutes % 60)}` : `${Math.round(hours / 24)} d`;
}

/** At most four significant digits, in six columns unless the exponent needs more. */
export function formatFigure(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(1);
  return size < 1 ? value.toFixed(4) : value.toFixed(Math.max(0, 3 - Math.floor(Math.log10(size))));
}

/** Three significant digits and a thousands suffix, in at most five columns. */
function formatRate(value: number): string {
  for (const [unit, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= unit * 0.9995) return `${Number((value / unit).toPrecision(3))}${letter}`;
  }
  return value < 0.1 ? value.toFixed(3) : String(Number(value.toPrecision(3)));
}
