/** Policies: put as a whole, presets read-only, listed by id, not deleted while an endpoint uses them. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import { deletePolicy } from '../../src/endpoint/delete-policy.ts';
import { getPolicy } from '../../src/endpoint/get-policy.ts';
import { listPolicies } from '../../src/endpoint/list-policies.ts';
import { viewPolicy } from '../../src/endpoint/policy.ts';
import { putEndpoint } from '../../src/endpoint/put-endpoint.ts';
import { putPolicy } from '../../src/endpoint/put-policy.ts';
import { Conflict, InvalidInput, NotAllowed, NotFound } from '../../src/errors.ts';
import type { PolicyInput } from '../../src/renewal/policy.ts';
import { presetNames } from '../../src/renewal/presets.ts';
import { describeWithEmulator } from '../emulator.ts';
import { acme, policyWith } from '../renewal/policy.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';

describeWithEmulator('policies', (emulator) => {
  let d: TestDeployment;
  let admin: Caller;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    admin = await d.enrol('alice', 'admin');
  });
  const put = (policy_id: string, input: PolicyInput) => putPolicy(d.world, { caller: admin, policy_id, input });
  const remove = (policy_id: string) => deletePolicy(d.world, { caller: admin, policy_id });
  const get = async (policy_id: string) => viewPolicy(await getPolicy(d.world, policy_id));

  it('a policy is kept whole, and read back as it was put', async () => {
    const { policy, created, warnings } = await put('web', { preset: '47-day', contact: ['ops@example.com'] });
    expect([created, warnings]).toEqual([true, []]);
    expect(viewPolicy(policy)).toEqual({
      policy_id: 'web',
      ...policyWith({ contact: ['ops@example.com'] }),
      created_at: expect.any(Number),
      updated_at: expect.any(Number),
    });
    expect(await get('web')).toEqual(viewPolicy(policy));
    expect(await d.row('policy#web')).toMatchObject({
      listing: 'policy',
      stamp: { actor: 'alice', action: 'policy_put' },
    });
  });
  it('put again, the same changes nothing; another replaces it as a whole', async () => {
    await put('again', { preset: '47-day', retries: 1, contact: ['ops@example.com'] });
    const before = await d.row('policy#again');
    expect((await put('again', { preset: '47-day', retries: 1, contact: ['ops@example.com'] })).created).toBe(false);
    expect(await d.row('policy#again')).toEqual(before);
    await put('again', { preset: '100-day', ca: acme, challenge: 'dns-01' });
    expect(await get('again')).toMatchObject({
      ca: acme,
      challenge: 'dns-01',
      lifetime_days: 100,
      retries: 3,
      contact: [],
    });
    expect(await d.row('policy#again')).toMatchObject({ created_at: before?.created_at, row_version: 2 });
  });
  it('what the calendar outlaws later is warned about, what it outlaws now is refused and not kept', async () => {
    const { warnings } = await put('public', { preset: '200-day', ca: acme });
    expect(warnings.map(({ name }) => name)).toEqual(['100-day-limit', '47-day-limit']);
    await expect(put('longer', { lifetime_days: 201, renewal_window_days: 30, ca: acme })).rejects.toThrow(
      InvalidInput,
    );
    expect(await d.row('policy#longer')).toBeUndefined();
    const world = { ...d.world, now: () => Date.parse('2029-03-15') };
    const later = putPolicy(world, { caller: admin, policy_id: 'public', input: { preset: '100-day', ca: acme } });
    await expect(later).rejects.toThrow(/^47-day-limit/);
    expect(await get('public')).toMatchObject({ lifetime_days: 200 });
  });

  describe.each(presetNames)('the preset %s', (name) => {
    it('is read, and neither put nor deleted', async () => {
      expect(await get(name)).toMatchObject({ policy_id: name, preset: true });
      await expect(put(name, { preset: '47-day' })).rejects.toThrow(Conflict);
      await expect(remove(name)).rejects.toThrow(Conflict);
      expect(await d.row(`policy#${name}`)).toBeUndefined();
    });
  });

  it('is deleted only when no endpoint uses it, and the refusal names one', async () => {
    await put('used', { preset: '47-day' });
    const world = d.world;
    const settings = {
      names: ['10.0.0.1'],
      port: 443,
      policy_id: 'used',
      validate_from: 'function',
      deployer: { kind: 'acm', certificate_arn: 'arn:aws:acm:eu-central-1:123456789012:certificate/1-2' },
    } as const;
    await putEndpoint(world, { caller: admin, endpoint_id: 'lb-1', input: { ...settings, names: ['10.0.0.1'] } });
    await expect(remove('used')).rejects.toThrow(/lb-1/);
    await expect(remove('used')).rejects.toThrow(Conflict);
    expect(await get('used')).toMatchObject({ policy_id: 'used' });
    const moved = { ...settings, names: ['10.0.0.1'], policy_id: '47-day' };
    await putEndpoint(world, { caller: admin, endpoint_id: 'lb-1', input: moved });
    expect(await remove('used')).toEqual({ policy_id: 'used', deleted: true });
    await expect(get('used')).rejects.toThrow(NotFound);
    await expect(remove('used')).rejects.toThrow(NotFound);
  });

  it('is listed by id with the presets, in pages, each once', async () => {
    for (const id of ['0-first', '5-middle', 'zz-last']) await put(id, { preset: '47-day' });
    await d.put('policy#50', { listing: 'policy', lifetime_days: 'x' });
    const all = async (limit: number) => {
      const ids: string[] = [];
      let after: string | undefined;
      do {
        const page = await listPolicies(d.world, { limit, after });
        expect(page.policies.length).toBeLessThanOrEqual(limit);
        ids.push(...page.policies.map(({ policy_id }) => policy_id));
        after = page.next;
      } while (after !== undefined);
      return ids;
    };
    const whole = await all(200);
    expect(whole).toEqual([...whole].sort());
    for (const id of ['0-first', '5-middle', '50', 'zz-last', ...presetNames]) expect(whole).toContain(id);
    expect(new Set(whole).size).toBe(whole.length);
    for (const limit of [1, 2, 3, 5]) expect(await all(limit)).toEqual(whole);
  });

  it('a caller that was suspended meanwhile changes nothing', async () => {
    const late = await d.enrol('late', 'admin');
    await d.suspend(late);
    const input = { preset: '100-day' };
    await expect(putPolicy(d.world, { caller: late, policy_id: 'late', input })).rejects.toThrow(NotAllowed);
    await put('kept', { preset: '47-day' });
    await expect(deletePolicy(d.world, { caller: late, policy_id: 'kept' })).rejects.toThrow(NotAllowed);
    expect(await get('kept')).toMatchObject({ policy_id: 'kept' });
  });
});
