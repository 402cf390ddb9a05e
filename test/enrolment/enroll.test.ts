/** Nodes that enrol: whom a token lets in, once or often, what they become, and everybody else. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deleteFleet } from '../../src/endpoint/delete-fleet.ts';
import { makeToken } from '../../src/endpoint/make-token.ts';
import { readRow } from '../../src/endpoint/read-row.ts';
import { revokeToken } from '../../src/endpoint/revoke-token.ts';
import { newToken, type TokenInput, tokenIdOf } from '../../src/endpoint/token.ts';
import { type Enrolled, enroll, enrolmentSchema } from '../../src/enrolment/enroll.ts';
import { endpointKeys } from '../../src/names.ts';
import { principalIdSchema } from '../../src/principal/principal.ts';
import { suspendPrincipal } from '../../src/principal/suspend-principal.ts';
import { newRequest } from '../certificate/deployment.ts';
import { atEveryAwait, pausing } from '../certificate/pausing.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from '../renewal/deployment.ts';
import { testAuthor } from '../stamps.ts';

describeWithEmulator('enrolment', (emulator) => {
  let d: TestDeployment;
  let fleet_id = '';
  let count = 0;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
  });
  afterAll(() => d.close());
  beforeEach(async () => {
    count += 1;
    fleet_id = `fleet-${count}`;
    await d.makeFleet(fleet_id, { endpoint_ids: ['web-*'] });
  });

  const make = (input: Partial<TokenInput> = {}) =>
    makeToken(d.world, { caller: d.admin, fleet_id, input: { kind: 'single', ...input } });
  const ask = (token: string, csr: string, fleet = fleet_id, world = d.world): Promise<Enrolled> =>
    enroll(world, testAuthor, { fleet_id: fleet, token, csr });
  const refusal = (message: RegExp) => ({ name: 'NotAllowed', message: expect.stringMatching(message) });
  const agentsOf = async () =>
    (await d.endpoints.certificates()).filter(({ principal_id }) => principal_id?.startsWith(`agent-${fleet_id}-`));

  describe('with a single token', () => {
    it('makes a worker of the fleet, with a certificate that the gate lets in', async () => {
      const { token, token_id } = await make({ endpoint_ids: ['web-a-*'] });
      const { principal_id, serial_number, pem, chain, expires_at, server } = await ask(token, newRequest());
      expect(principal_id).toMatch(new RegExp(`^agent-${fleet_id}-[0-9a-hjkmnp-tv-z]{26}$`));
      expect(principalIdSchema.safeParse(principal_id).success).toBe(true);
      expect(await d.endpoints.people.present(pem)).toMatchObject({
        outcome: 'allow',
        principal_id,
        principal_type: 'worker',
        serial_number,
      });
      expect(chain).toContain('BEGIN CERTIFICATE');
      expect(expires_at).toBeGreaterThan(d.now() + 89 * 86_400_000);
      expect(server).toBe('https://api.airunner.example');
      expect(await d.endpoints.people.row('principals', principal_id)).toMatchObject({
        type: 'worker',
        status: 'active',
        fleet_id,
        endpoint_ids: ['web-a-*'],
        enrolled_with: token_id,
        live_serials: [serial_number],
      });
      expect(await readRow(d.world, endpointKeys.token(token_id))).toMatchObject({ used_by: principal_id });
    });

    it('answers the same request alike, as often as it comes, and lets nobody else in', async () => {
      const { token } = await make();
      const csr = newRequest();
      const first = await ask(token, csr);
      expect(await ask(token, csr)).toEqual(first);
      d.pass(2 * 3_600_000);
      expect(await ask(token, csr)).toEqual(first);
      await expect(ask(token, newRequest())).rejects.toMatchObject(refusal(/used by another node/));
      expect(await agentsOf()).toHaveLength(1);
      d.pass(-2 * 3_600_000);
    });

    it('lets one of many in that come at once', async () => {
      const { token } = await make();
      const all = await Promise.allSettled(Array.from({ length: 6 }, () => ask(token, newRequest())));
      const let_in = all.filter(({ status }) => status === 'fulfilled');
      expect(let_in).toHaveLength(1);
      for (const one of all) if (one.status === 'rejected') expect(one.reason).toMatchObject({ name: 'NotAllowed' });
      expect(await agentsOf()).toHaveLength(1);
    });

    it('answers one request that comes many times at once alike', async () => {
      const { token } = await make();
      const csr = newRequest();
      const all = await Promise.all(Array.from({ length: 5 }, () => ask(token, csr)));
      expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(1);
      expect(await agentsOf()).toHaveLength(1);
    });

    it('is not used up by a request that is no good', async () => {
      const { token, token_id } = await make();
      await expect(ask(token, 'nonsense')).rejects.toMatchObject({ name: 'InvalidInput', field: 'csr' });
      expect(await readRow(d.world, endpointKeys.token(token_id))).not.toHaveProperty('used_by');
      await ask(token, newRequest());
    });

    it('is no good to a key that another principal has', async () => {
      const csr = newRequest();
      await ask((await make()).token, csr);
      const { token, token_id } = await make();
      await expect(ask(token, csr)).rejects.toMatchObject({ name: 'InvalidInput', field: 'csr' });
      expect(await readRow(d.world, endpointKeys.token(token_id))).not.toHaveProperty('used_by');
    });

    it('ends after an hour', async () => {
      const { token } = await make();
      d.pass(3_600_001);
      await expect(ask(token, newRequest())).rejects.toMatchObject(refusal(/has expired/));
      d.pass(-3_600_001);
    });

    it('lets nobody in once it is revoked, while it is checked or before', async () => {
      await atEveryAwait(8, async (at) => {
        const { token, token_id } = await make();
        const revoke = () => revokeToken(d.world, { caller: d.admin, fleet_id, token_id });
        const pause = pausing(d.world, at, revoke);
        const before = (await agentsOf()).length;
        const outcome = await ask(token, newRequest(), fleet_id, { ...d.world, ...pause.world }).then(
          () => 'done',
          (error: Error) => error.name,
        );
        if (outcome === 'done') expect(!pause.reached() || pause.written()).toBe(true);
        else {
          expect(outcome).toBe('NotAllowed');
          expect(await agentsOf()).toHaveLength(before);
        }
        return pause;
      });
    });
  });

  describe('with a fleet key', () => {
    it('lets any number in until it is revoked, and answers each of them alike', async () => {
      const { token, token_id } = await make({ kind: 'fleet' });
      const csrs = [newRequest(), newRequest(), newRequest()];
      const all = await Promise.all(csrs.map((csr) => ask(token, csr)));
      expect(new Set(all.map(({ principal_id }) => principal_id)).size).toBe(3);
      for (const [index, csr] of csrs.entries()) expect(await ask(token, csr)).toEqual(all[index]);
      await revokeToken(d.world, { caller: d.admin, fleet_id, token_id });
      await expect(ask(token, newRequest())).rejects.toMatchObject(refusal(/was revoked/));
      await expect(ask(token, csrs[0] ?? '')).rejects.toMatchObject(refusal(/was revoked/));
      expect(await d.endpoints.people.present(all[0]?.pem ?? '')).toMatchObject({ outcome: 'allow' });
    });
  });

  describe('is refused', () => {
    it('alike to a stranger, with no fleet, no token, and the token of another fleet', async () => {
      const { token } = await make();
      const theirs = fleet_id;
      count += 1;
      fleet_id = `fleet-${count}`;
      await d.makeFleet(fleet_id);
      const strange = newToken(d.world.randomBytes);
      const all = await Promise.allSettled([
        ask(strange, newRequest()),
        ask(strange, newRequest(), 'no-fleet'),
        ask(token, newRequest()),
        ask(token, newRequest(), 'no-fleet'),
      ]);
      const said = all.map((one) =>
        one.status === 'rejected' ? `${one.reason.name} ${one.reason.message}` : 'let in',
      );
      expect(new Set(said)).toEqual(new Set(['NotAllowed the token lets nobody into this fleet']));
      await ask(token, newRequest(), theirs);
    });

    it('into a fleet that is closed, also while it is being checked', async () => {
      const { token } = await make();
      await d.makeFleet(fleet_id, { closed: true });
      await expect(ask(token, newRequest())).rejects.toMatchObject(refusal(/lets nobody in at present/));
      await d.makeFleet(fleet_id, { closed: false });
      await ask(token, newRequest());
    });

    it('into a fleet that was deleted and made again', async () => {
      const { token, token_id } = await make({ kind: 'fleet' });
      const row = await readRow(d.world, endpointKeys.token(token_id));
      await deleteFleet(d.world, { caller: d.admin, fleet_id });
      d.pass(5);
      await d.makeFleet(fleet_id);
      await d.endpoints.put(endpointKeys.token(token_id), row ?? {});
      await expect(ask(token, newRequest())).rejects.toMatchObject(refusal(/lets nobody into this fleet/));
    });

    it.each([
      ['true', true, /enrolment is closed: CA compromise/],
      ['anything but false', 'yes', /enrolment is closed: CA compromise/],
    ])('to everybody while an emergency says so: %s', async (_what, closed, message) => {
      const { token } = await make();
      const control = { control_id: 'enrolment', closed, reason: 'CA compromise' };
      await d.endpoints.people.put('controls', control);
      await expect(ask(token, newRequest())).rejects.toMatchObject(refusal(message));
      await d.endpoints.people.put('controls', { ...control, closed: false });
      await ask(token, newRequest());
      await d.endpoints.people.remove('controls', 'enrolment');
    });

    it('to whoever is being checked when an emergency closes it', async () => {
      await atEveryAwait(8, async (at) => {
        const { token } = await make();
        const before = (await agentsOf()).length;
        const close = () => d.endpoints.people.put('controls', { control_id: 'enrolment', closed: true, reason: 'x' });
        const pause = pausing(d.world, at, close);
        const outcome = await ask(token, newRequest(), fleet_id, { ...d.world, ...pause.world }).then(
          () => 'done',
          (error: Error) => error.name,
        );
        await d.endpoints.people.remove('controls', 'enrolment');
        if (outcome === 'done') expect(!pause.reached() || pause.written()).toBe(true);
        else {
          expect(outcome).toBe('NotAllowed');
          expect(await agentsOf()).toHaveLength(before);
        }
        return pause;
      });
    });

    it('in a new generation to whoever was asked before it', async () => {
      await atEveryAwait(8, async (at) => {
        const { token } = await make();
        const generation = at + 1;
        const pause = pausing(d.world, at, () => d.endpoints.raiseGeneration(generation));
        const enrolled = await ask(token, newRequest(), fleet_id, { ...d.world, ...pause.world }).catch(
          (error: Error) => error,
        );
        if (enrolled instanceof Error) expect(enrolled.name).toBe('NotAllowed');
        // Let in by the new one, or refused by it: never let in without it.
        else if (pause.reached() && !pause.written())
          expect(await d.endpoints.people.present(enrolled.pem)).toMatchObject({ outcome: 'allow' });
        await d.endpoints.raiseGeneration(0);
        return pause;
      });
    });

    it.each([
      [{ fleet_id: 'web' }],
      [{ fleet_id: 'Web', token: newToken((n) => new Uint8Array(n)), csr: 'x' }],
      [{ fleet_id: 'web', token: 'secret', csr: 'x' }],
      [{ fleet_id: 'web', token: newToken((n) => new Uint8Array(n)), csr: 'x', principal_id: 'agent-x' }],
    ])('to what is no enrolment: %j', (body) => {
      expect(enrolmentSchema.safeParse(body).success).toBe(false);
    });
  });

  it('that is answered again gives a suspended agent nothing back', async () => {
    const { token } = await make();
    const csr = newRequest();
    const { principal_id, pem } = await ask(token, csr);
    await suspendPrincipal(d.world, { caller: d.admin, reach: 'any', principal_id, reason: 'stolen', force: false });
    expect((await ask(token, csr)).pem).toBe(pem);
    expect(await d.endpoints.people.present(pem)).toMatchObject({ outcome: 'deny' });
  });

  it('leaves the token nowhere, but its hash', async () => {
    const { token } = await make();
    const csr = newRequest();
    const { principal_id } = await ask(token, csr);
    const rows = [
      await readRow(d.world, endpointKeys.token(tokenIdOf(token))),
      await readRow(d.world, endpointKeys.agent(principal_id)),
      await d.endpoints.people.row('principals', principal_id),
    ];
    expect(JSON.stringify(rows)).toContain(tokenIdOf(token));
    expect(JSON.stringify(rows)).not.toContain(token);
  });
});
