import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../serving/front/metrics.js';

describe('metrics', () => {
  it('have the text format of Prometheus', () => {
    const metrics = createMetrics();
    const requests = metrics.counter('requests_total', 'All.');
    const seconds = metrics.histogram('seconds', 'Time.', [0.1, 1]);
    metrics.gauge('length', 'Now.', () => [[{}, 2]]);
    requests.add({ route: '/a"\\\n' });
    requests.add({ route: 'b' }, 3);
    requests.add({ route: 'b' });
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
    expect(metrics.text()).toBe(
      [
        ...['# HELP requests_total All.', '# TYPE requests_total counter'],
        ...['requests_total{route="/a\\"\\\\\\n"} 1', 'requests_total{route="b"} 4'],
        ...[
          '# HELP seconds Time.',
          '# TYPE seconds histogram',
          'seconds_bucket{le="0.1"} 2',
          'seconds_bucket{le="1"} 3',
        ],
        ...['seconds_bucket{le="+Inf"} 4', 'seconds_sum 7.65', 'seconds_count 4'],
        ...['# HELP length Now.', '# TYPE length gauge', 'length 2', ''],
      ].join('\n'),
    );
  });
});
