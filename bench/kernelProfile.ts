/** What one kernel takes in one repetition of a workload. */
export interface KernelTime {
  readonly name: string;
  /** Not compiled: it runs as JavaScript. */
  readonly javaScript: boolean;
  readonly calls: number;
  readonly milliseconds: number;
}

/** Where the time of a workload goes on the native engine, kernels that take longest first. */
export interface KernelProfile {
  readonly milliseconds: number;
  readonly kernels: readonly KernelTime[];
}

/** Kernels of a smaller share stand in one line. */
const SMALLEST_SHARE = 0.005;

export const PROFILE_HEADERS = ['kernel', 'calls', 'ms', 'share'];

/** As cells: the kernels, what is outside of them (TensorFlow.js and this project's JavaScript), and all of it. */
export function profileCells({ milliseconds, kernels }: KernelProfile): string[][] {
  const sum = (times: readonly KernelTime[]): number => times.reduce((total, time) => total + time.milliseconds, 0);
  const row = (name: string, calls: string, time: number): string[] => [
    name,
    calls,
    time.toFixed(2),
    `${((100 * time) / milliseconds).toFixed(1)} %`,
  ];
  const isShown = (time: KernelTime): boolean => time.milliseconds >= SMALLEST_SHARE * milliseconds;
  const others = kernels.filter((time) => !isShown(time));
  return [
    ...kernels
      .filter(isShown)
      .map(({ name, javaScript, calls, milliseconds: time }) =>
        row(javaScript ? `${name} (JavaScript)` : name, calls.toFixed(0), time),
      ),
    row(`${others.length} other kernels`, '–', sum(others)),
    row('outside of kernels', '–', milliseconds - sum(kernels)),
    row('all', '–', milliseconds),
  ];
}
