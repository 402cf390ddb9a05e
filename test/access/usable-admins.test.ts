/** The last admin who can get in stays, whoever suspends whom at the same time. */
import { expect, it } from 'vitest';
import { guardLastAdmin } from '../../src/access/usable-admins.ts';
import { Conflict, NotAllowed } from '../../src/errors.ts';
import { suspendPrincipal } from '../../src/principal/suspend-principal.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment } from '../principal/deployment.ts';

describeWithEmulator('the last usable admin', (emulator) => {
  const twoAdmins = async () => {
    const d = await makeDeployment(emulator);
    const a = await d.enrol('admin-a', 'admin');
    const b = await d.enrol('admin-b', 'admin');
    await d.setAdmins('admin-a', 'admin-b');
    const suspend = (caller: typeof a, principal_id: string, force = false) =>
      suspendPrincipal(d.world, { caller, reach: 'any', principal_id, reason: 'why', force });
    return { ...d, a, b, suspend };
  };

  it('cannot be suspended, not by itself either, unless by force', async () => {
    const { a, suspend, row } = await twoAdmins();
    await suspend(a, 'admin-b');
    await expect(suspend(a, 'admin-a')).rejects.toThrow(Conflict);
    expect(await row('principals', 'admin-a')).toMatchObject({ status: 'active' });
    expect(await suspend(a, 'admin-a', true)).toMatchObject({ status: 'suspended' });
  });

  it('is left when two admins suspend each other at once', async () => {
    for (let round = 0; round < 8; round += 1) {
      const { a, b, suspend, row } = await twoAdmins();
      const outcomes = await Promise.allSettled([suspend(a, 'admin-b'), suspend(b, 'admin-a')]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected')
          expect([Conflict, NotAllowed].some((kind) => outcome.reason instanceof kind)).toBe(true);
      const rows = await Promise.all([row('principals', 'admin-a'), row('principals', 'admin-b')]);
      expect(rows.filter((admin) => admin?.status === 'active')).toHaveLength(1);
    }
  });

  it('is left when each of two suspends itself at once', async () => {
    for (let round = 0; round < 8; round += 1) {
      const { a, b, suspend, row } = await twoAdmins();
      const outcomes = await Promise.allSettled([suspend(a, 'admin-a'), suspend(b, 'admin-b')]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const rows = await Promise.all([row('principals', 'admin-a'), row('principals', 'admin-b')]);
      expect(rows.filter((admin) => admin?.status === 'active')).toHaveLength(1);
    }
  });

  it('is one who can get in: an admin without a live certificate does not count', async () => {
    const { a, b, suspend, put } = await twoAdmins();
    const certificate = { principal_id: 'admin-b', fingerprint: 'f', generation: 0, expires_at: Date.now() + 1e7 };
    const spoilt: Record<string, unknown>[] = [
      { ...certificate, revoked: true },
      { ...certificate, revoked: 'false' },
      { ...certificate, revoked: false, expires_at: Date.now() - 1 },
      { ...certificate, revoked: false, principal_id: 'admin-a' },
      { principal_id: 'admin-b', revoked: false },
    ];
    for (const row of spoilt) {
      await put('certificates', { serial_number: b.serial_number, ...row });
      await expect(suspend(a, 'admin-a')).rejects.toThrow(Conflict);
    }
    await put('certificates', { serial_number: b.serial_number, ...certificate, revoked: false });
    await put('principals', {
      principal_id: 'admin-b',
      status: 'active',
      type: 'ADMIN',
      live_serials: [b.serial_number],
    });
    await expect(suspend(a, 'admin-a')).rejects.toThrow(Conflict);
  });

  it('counts certificates of the current generation and exempt ones only', async () => {
    const { a, b, suspend, put } = await twoAdmins();
    for (let copy = 0; copy < 16; copy += 1)
      await put('controls', {
        control_id: `generation#${copy}`,
        generation: 1,
        exempt_serials: new Set([a.serial_number]),
      });
    const caller = { ...a, generation: 1 };
    await expect(suspend(caller, 'admin-a')).rejects.toThrow(Conflict);
    const exempt_serials = new Set([a.serial_number, b.serial_number]);
    for (let copy = 0; copy < 16; copy += 1)
      await put('controls', { control_id: `generation#${copy}`, generation: 1, exempt_serials });
    expect(await suspend(caller, 'admin-a')).toMatchObject({ status: 'suspended' });
  });

  it('cannot lose its last certificate either', async () => {
    const { a, b, world } = await twoAdmins();
    const action = 'certificate_revoked';
    const removing = { serial_numbers: [a.serial_number] };
    expect(await guardLastAdmin(world, { removing, force: false, action })).toMatchObject({ key: 'admins', action });
    const both = { serial_numbers: [a.serial_number, b.serial_number] };
    await expect(guardLastAdmin(world, { removing: both, force: false, action })).rejects.toThrow(Conflict);
    expect(await guardLastAdmin(world, { removing: both, force: true, action })).toMatchObject({
      key: 'admins',
      action,
    });
  });
});
