/** Label names and values of a sample. */
type Labels = Readonly<Record<string, string | number>>;

/** A number that only grows. */
export interface Counter {
  add(labels?: Labels, by?: number): void;
}

/** How often values are below bounds, their sum and number. */
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** Metrics by name, in the text format of Prometheus. Source: https://prometheus.io/docs/instrumenting/exposition_formats */
export interface Metrics {
  counter(name: string, help: string): Counter;
  /** @param bounds ascending */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  /** @param read the present values */
  gauge(name: string, help: string, read: () => Iterable<readonly [Labels, number]>): void;
  /** A counter that something else keeps. */
  read(name: string, help: string, read: () => number): void;
  text(): string;
}

export function createMetrics(): Metrics {
  const sections: (() => string[])[] = [];
  const section = (name: string, kind: string, help: string, lines: () => string[]): void => {
    sections.push(() => [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...lines()]);
  };
  return {
    counter: (name, help) => {
      const values = new Map<string, number>();
      section(name, 'counter', help, () => [...values].map(([labels, value]) => `${name}${labels} ${value}`));
      return {
        add: (labels = {}, by = 1) => {
          const key = labelText(labels);
          values.set(key, (values.get(key) ?? 0) + by);
        },
      };
    },
    histogram: (name, help, bounds) => {
      const series = new Map<string, { labels: Labels; counts: number[]; sum: number }>();
      section(name, 'histogram', help, () =>
        [...series.values()].flatMap(({ labels, counts, sum }) => {
          let below = 0;
          const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, i) => {
            below += counts[i];
            const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : bound;
            return `${name}_bucket${labelText({ ...labels, le })} ${below}`;
          });
          return [...buckets, `${name}_sum${labelText(labels)} ${sum}`, `${name}_count${labelText(labels)} ${below}`];
        }),
      );
      return {
        observe: (value, labels = {}) => {
          const key = labelText(labels);
          const own = series.get(key) ?? { labels, counts: Array(bounds.length + 1).fill(0), sum: 0 };
          series.set(key, own);
          const place = bounds.findIndex((bound) => value <= bound);
          own.counts[place === -1 ? bounds.length : place]++;
          own.sum += value;
        },
      };
    },
    gauge: (name, help, read) =>
      section(name, 'gauge', help, () => [...read()].map(([labels, value]) => `${name}${labelText(labels)} ${value}`)),
    read: (name, help, read) => section(name, 'counter', help, () => [`${name} ${read()}`]),
    text: () => `${sections.flatMap((lines) => lines()).join('\n')}\n`,
  };
}

/** `{route="caption",status="200"}`, or nothing. */
function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
