import { NumberValue } from '@aws-sdk/lib-dynamodb';
import { beforeAll, expect, it } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import { Conflict } from '../../src/errors.ts';
import { activatePrincipal } from '../../src/principal/activate-principal.ts';
import { suspendPrincipal } from '../../src/principal/suspend-principal.ts';
import { makeDeployment, type TestDeployment } from '../certificate/deployment.ts';
import { atEveryAwait, pausing } from '../certificate/pausing.ts';
import { describeWithEmulator } from '../emulator.ts';

describeWithEmulator('activating, stopped at every await', (emulator) => {
  let d: TestDeployment;
  let admin: Caller;
  let run = 0;
  beforeAll(async () => {
    d = await makeDeployment(emulator);
    admin = await d.enrol('admin-other', 'admin');
  });
  const suspend = (principal_id: string) =>
    suspendPrincipal(d.world, { caller: admin, reach: 'any', principal_id, reason: 'maintenance', force: false });
  const activate = (world: TestDeployment['world'], principal_id: string) =>
    activatePrincipal(world, { caller: admin, reach: 'any', principal_id });
  const breakGlass = (id: string) =>
    d.edit('principals', id, { status: 'suspended', suspended_at: 5, suspended_reason: 'Emergency' });

  it.each([
    ['a second suspension, though it changes nothing', suspend],
    ['an activation and a new suspension', async (id: string) => [await activate(d.world, id), await suspend(id)]],
    ['the runbook’s break-glass suspension', breakGlass],
    ['that, of a wrong type', (id: string) => d.edit('principals', id, { status: 'suspended', suspended_at: 'now' })],
  ])('lets nobody in after %s returned', async (_what, meanwhile) => {
    await atEveryAwait(4, async (at) => {
      const id = `worker-${run++}`;
      await d.register(id, 'worker');
      const { pem } = await d.issueTo(admin, id);
      await suspend(id);
      const pause = pausing(d.world, at, () => meanwhile(id));
      await activate(pause.world, id).catch(() => undefined);
      // At 0 nothing was read yet: the new suspension is the one that is ended.
      if (pause.reached() && at > 0) expect(await d.present(pem), `await ${at}`).toMatchObject({ outcome: 'deny' });
      return pause;
    });
  });

  it('says that it was suspended again meanwhile', async () => {
    await d.register('worker-told', 'worker');
    await suspend('worker-told');
    const { world } = pausing(d.world, 2, () => suspend('worker-told'));
    await expect(activate(world, 'worker-told')).rejects.toThrow(Conflict);
    expect(await activate(d.world, 'worker-told')).toMatchObject({ status: 'active' });
  });

  it.each([
    { suspended_at: NumberValue.from('1e40') },
    { suspended_at: -1.5, suspended_reason: ['x'] },
    { status: 7, suspension: new Set(['a']) },
    { status: { nested: true }, suspended_reason: null },
  ])('ends a suspension of a row edited to %j', async (values) => {
    const id = `worker-${run++}`;
    await d.register(id, 'worker');
    await suspend(id);
    await d.edit('principals', id, values);
    expect(await suspend(id)).toMatchObject({ status: 'suspended' });
    expect(await activate(d.world, id)).toMatchObject({ status: 'active' });
    const row = await d.row('principals', id);
    for (const attribute of ['suspended_at', 'suspended_reason', 'suspension'])
      expect(row).not.toHaveProperty(attribute);
  });
});
