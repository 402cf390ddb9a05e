/** No staleness: of the calls that begin after a suspend has returned, none is let in. `npm run test:full` makes 5,000. */
import { expect, test } from 'vitest';
import { hammerTheGate } from '../../bench/enforcement.ts';
import { cloud, describeWithCloud } from './cloud.ts';

describeWithCloud('suspensions while clients hammer the gate', () => {
  test('are in force for every call that begins after they returned', { timeout: 600_000 }, async () => {
    const requests = process.env.EVERLEAF_TEST_FULL === '1' ? 5000 : 1000;
    const { seen, windows, inside, letIn, odd } = await hammerTheGate(cloud, { requests, clients: 8 }, () => undefined);
    console.log(
      `${seen.length} requests, ${windows.length} suspensions, ${inside.length} began in one, ${letIn} of them let in`,
    );
    expect(inside.length).toBeGreaterThan(requests / 20);
    expect({ letIn, odd }).toEqual({ letIn: 0, odd: 0 });
    expect(seen.some(({ status }) => status === 200)).toBe(true);
  });
});
