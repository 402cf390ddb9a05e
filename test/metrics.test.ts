/** What a function counts reaches CloudWatch as one metric of the deployment, whichever function it was. */
import { afterEach, expect, test, vi } from 'vitest';
import { count } from '../src/metrics.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

test('counts are one line of embedded metric format, in the namespace, with one set of dimensions that is empty', () => {
  vi.stubEnv('POWERTOOLS_SERVICE_NAME', 'append-changes');
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((line) => {
    lines.push(String(line));
    return true;
  });
  count({ name: 'airunner', environment: 'prod' }, { audit_entries_total: 3, out_of_band_changes_total: 0 });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    _aws: {
      Timestamp: expect.any(Number),
      CloudWatchMetrics: [
        {
          Namespace: 'airunner/prod',
          Dimensions: [[]],
          Metrics: [
            { Name: 'audit_entries_total', Unit: 'Count' },
            { Name: 'out_of_band_changes_total', Unit: 'Count' },
          ],
        },
      ],
    },
    audit_entries_total: 3,
    out_of_band_changes_total: 0,
  });
});
