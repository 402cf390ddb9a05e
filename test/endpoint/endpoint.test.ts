/** Endpoints: what a request leaves out, what is refused by its field, what a renewal under way holds, what is deleted. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import { deleteEndpoint } from '../../src/endpoint/delete-endpoint.ts';
import { type EndpointView, viewEndpoint } from '../../src/endpoint/endpoint.ts';
import { endpointInputSchema } from '../../src/endpoint/endpoint-settings.ts';
import { getEndpoint } from '../../src/endpoint/get-endpoint.ts';
import { putEndpoint } from '../../src/endpoint/put-endpoint.ts';
import { putFleet } from '../../src/endpoint/put-fleet.ts';
import { putPolicy } from '../../src/endpoint/put-policy.ts';
import { Conflict, NotAllowed, NotFound } from '../../src/errors.ts';
import { parseFields } from '../../src/http/input.ts';
import { describeWithEmulator } from '../emulator.ts';
import { acme } from '../renewal/policy.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';

const arn = 'arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012';

describeWithEmulator('endpoints', (emulator) => {
  let d: TestDeployment;
  let olga: Caller;
  let count = 0;
  let id: string;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    olga = await d.enrol('olga', 'operator');
    const fleet = (fleet_id: string, ...endpoint_ids: string[]) =>
      putFleet(d.world, { caller: olga, fleet_id, input: { endpoint_ids, poll_after_seconds: 10, closed: false } });
    await fleet('web', 'web-*');
    await fleet('other', '*');
    await d.enrolAgent('agent-web-01', 'web');
    await d.enrolAgent('agent-other-01', 'other');
    await putPolicy(d.world, { caller: olga, policy_id: 'public', input: { preset: '200-day', ca: acme } });
  });
  beforeEach(() => {
    count += 1;
    id = `web-${count}`;
  });

  const usual = { names: ['web.example.com'], fleet_id: 'web', policy_id: '47-day' };
  const put = async (body: object, { caller = olga, endpoint_id = id, world = d.world } = {}) => {
    const input = parseFields(endpointInputSchema, body, 'body');
    const { endpoint, ...rest } = await putEndpoint(world, { caller, endpoint_id, input });
    return { ...rest, view: viewEndpoint(endpoint) };
  };
  const get = async (endpoint_id = id): Promise<EndpointView> => viewEndpoint(await getEndpoint(d.world, endpoint_id));
  const refused = async (body: object) => {
    const error: unknown = await put({ ...usual, ...body }).catch((thrown: unknown) => thrown);
    expect(await d.row(id)).toBeUndefined();
    return error;
  };

  describe('putting one', () => {
    it('fills in what follows from its names, and reads back the same', async () => {
      const { view, created, warnings } = await put(usual);
      expect(view).toEqual({
        endpoint_id: id,
        names: ['web.example.com'],
        host: 'web.example.com',
        port: 443,
        server_name: 'web.example.com',
        fleet_id: 'web',
        policy_id: '47-day',
        validate_from: 'function',
        deployer: { kind: 'agent' },
        created_at: expect.any(Number),
        updated_at: expect.any(Number),
      });
      expect([created, warnings]).toEqual([true, []]);
      expect(await get()).toEqual(view);
      expect(await d.row(id)).toMatchObject({ listing: 'endpoint', row_version: 1, stamp: { actor: 'olga' } });
    });
    it.each([
      [{ names: ['*.example.com', 'example.com'] }, { host: 'example.com', server_name: 'example.com' }],
      [
        { names: ['*.example.com'], host: 'a.example.com' },
        { host: 'a.example.com', server_name: 'a.example.com' },
      ],
      [
        { names: ['*.example.com'], host: 'lb.internal' },
        { host: 'lb.internal', server_name: undefined },
      ],
      [
        { names: ['web.example.com'], host: 'lb.internal' },
        { host: 'lb.internal', server_name: 'web.example.com' },
      ],
      [{ names: ['10.0.0.7'] }, { host: '10.0.0.7', server_name: undefined }],
      [
        { names: ['2001:DB8:0::7'], host: 'a.example' },
        { names: ['2001:db8::7'], server_name: undefined },
      ],
      [{ names: ['10.0.0.7', 'web.example.com'] }, { host: '10.0.0.7', server_name: 'web.example.com' }],
    ])('with %j is dialled at %j', async (body, expected) => {
      const { view } = await put({ ...usual, ...body });
      expect(view).toMatchObject(Object.fromEntries(Object.entries(expected).filter(([, value]) => value)));
      if (expected.server_name === undefined) expect(view).not.toHaveProperty('server_name');
    });
    it('again with the same changes nothing, not even when it was changed', async () => {
      const { view } = await put({ ...usual, agent_id: 'agent-web-01' });
      const before = await d.row(id);
      expect(await put({ ...usual, agent_id: 'agent-web-01' })).toEqual({ view, created: false, warnings: [] });
      expect(await d.row(id)).toEqual(before);
    });
    it('otherwise replaces what is said, takes away what is not, and keeps what it serves', async () => {
      await put({ ...usual, names: ['a.example.com'], port: 8443 });
      const current = {
        fingerprint: 'ab'.repeat(32),
        serial_number: '01',
        not_before: 1,
        not_after: 2,
        issuer: 'CN=x',
      };
      await d.edit(id, { current, expires_at: 2, expiry_bucket: '1970-01-01#1' });
      const { view, created } = await put({ ...usual, names: ['10.0.0.9'], policy_id: '100-day' });
      expect(created).toBe(false);
      expect(view).toMatchObject({ names: ['10.0.0.9'], port: 443, policy_id: '100-day', current, expires_at: 2 });
      expect(view).not.toHaveProperty('server_name');
      expect(await get()).toEqual(view);
      expect(await d.row(id)).toMatchObject({ expiry_bucket: '1970-01-01#1', row_version: 2 });
    });
    it('warns of the steps that will outlaw its policy', async () => {
      const { warnings } = await put({ ...usual, policy_id: 'public' });
      expect(warnings.map(({ name }) => name)).toEqual(['100-day-limit', '47-day-limit']);
    });
    it('may have the API’s own name where a public CA asks for proof of it', async () => {
      const { view } = await put({ ...usual, names: ['api.airunner.example'], policy_id: 'public' });
      expect(view).toMatchObject({ names: ['api.airunner.example'] });
    });
    it('repairs a row that somebody edited to nonsense', async () => {
      await put(usual);
      await d.edit(id, { port: 'x', names: 7, fleet_id: 'Web' });
      expect((await put(usual)).view).not.toHaveProperty('invalid');
      expect(await get()).toMatchObject({ port: 443, names: ['web.example.com'], fleet_id: 'web' });
    });

    it.each([
      [{ names: [] }, 'names'],
      [{ names: ['Web.example.com'] }, 'names.0'],
      [{ names: ['api.airunner.example'] }, 'names'],
      [{ names: ['web.example.com', '*.airunner.example'] }, 'names'],
      [{ names: ['*.elsewhere.example'] }, 'host'],
      [{ host: '*.elsewhere.example' }, 'host'],
      [{ host: '127.0.0.1' }, 'host'],
      [{ host: '169.254.169.254' }, 'host'],
      [{ host: '192.168.1.1' }, 'host'],
      [{ host: '::1' }, 'host'],
      [{ host: '::ffff:127.0.0.1' }, 'host'],
      [{ port: 0 }, 'port'],
      [{ port: 65_536 }, 'port'],
      [{ port: '443' }, 'port'],
      [{ server_name: 'other.example.com' }, 'server_name'],
      [{ server_name: '10.0.0.7' }, 'server_name'],
      [{ fleet_id: undefined }, 'fleet_id'],
      [{ fleet_id: 'nobody' }, 'fleet_id'],
      [{ fleet_id: undefined, deployer: { kind: 'acm', certificate_arn: arn }, validate_from: 'agent' }, 'fleet_id'],
      [{ fleet_id: undefined, deployer: { kind: 'acm', certificate_arn: arn }, agent_id: 'agent-web-01' }, 'fleet_id'],
      [{ agent_id: 'nobody' }, 'agent_id'],
      [{ agent_id: 'olga' }, 'agent_id'],
      [{ agent_id: 'agent-other-01' }, 'agent_id'],
      [{ policy_id: undefined }, 'policy_id'],
      [{ policy_id: 'nothing' }, 'policy_id'],
      [{ policy_id: 'public', names: ['*.w.example.com', 'w.example.com'] }, 'policy_id'],
      [{ policy_id: 'public', names: ['localhost'] }, 'policy_id'],
      [{ validate_from: 'moon' }, 'validate_from'],
      [{ deployer: { kind: 'shell', command: 'rm -rf /' } }, 'deployer.kind'],
      [{ deployer: { kind: 'acm', certificate_arn: 'x' } }, 'deployer.certificate_arn'],
      [{ reload: ['systemctl', 'reload', 'nginx'] }, 'reload'],
      [{ directory: '/etc/ssl' }, 'directory'],
      [{ current: {} }, 'current'],
      [{ live_job: '01' }, 'live_job'],
    ])('is refused with %j, naming %s, and nothing is written', async (body, field) => {
      expect(await refused(body)).toMatchObject({ name: 'InvalidInput', field });
    });
    it('is refused for an id that its fleet may not own', async () => {
      id = `db-${count}`;
      expect(await refused({})).toMatchObject({ name: 'InvalidInput', field: 'fleet_id' });
      await put({ ...usual, fleet_id: 'other' });
    });
    it('lets the agent dial what functions may not, and ACM go without a fleet', async () => {
      await put({ ...usual, host: '127.0.0.1', validate_from: 'agent' });
      const { fleet_id: _fleet, ...rest } = usual;
      const { view } = await put(
        { ...rest, deployer: { kind: 'acm', certificate_arn: arn } },
        { endpoint_id: `${id}-acm` },
      );
      expect(view).toMatchObject({ deployer: { kind: 'acm', certificate_arn: arn } });
      expect(view).not.toHaveProperty('fleet_id');
    });
    it('refuses on the day of issue a policy that was allowed when it was written', async () => {
      const world = { ...d.world, now: () => Date.parse('2027-03-15') };
      await expect(put({ ...usual, policy_id: 'public' }, { world })).rejects.toMatchObject({
        field: 'policy_id',
        message: expect.stringMatching(/^100-day-limit/),
      });
    });
    it('refuses a policy whose record somebody edited to nonsense', async () => {
      await putPolicy(d.world, { caller: olga, policy_id: `p-${id}`, input: { preset: '47-day' } });
      await d.edit(`policy#p-${id}`, { lifetime_days: -1 });
      expect(await refused({ policy_id: `p-${id}` })).toMatchObject({ name: 'InvalidInput', field: 'policy_id' });
    });
  });

  describe('its agent', () => {
    it('stays when it took the endpoint over and nothing is said of it', async () => {
      await put(usual);
      await d.edit(id, { agent_id: 'agent-web-01' });
      expect((await put({ ...usual, port: 8443 })).view).toMatchObject({ agent_id: 'agent-web-01', port: 8443 });
    });
    it('goes when the endpoint moves to another fleet', async () => {
      await put({ ...usual, agent_id: 'agent-web-01' });
      expect((await put({ ...usual, fleet_id: 'other' })).view).not.toHaveProperty('agent_id');
      expect(await d.row(id)).not.toHaveProperty('agent_id');
    });
  });

  describe('while a renewal is under way', () => {
    beforeEach(async () => {
      await put({ ...usual, agent_id: 'agent-web-01' });
      await d.edit(id, { live_job: '0199aa' });
    });
    it.each([
      [{ names: ['other.example.com'] }, 'names'],
      [{ fleet_id: 'other', agent_id: 'agent-other-01' }, 'fleet_id'],
      [{ deployer: { kind: 'acm', certificate_arn: arn } }, 'deployer'],
    ])('what it works with stays: %j', async (body, field) => {
      const before = await d.row(id);
      await expect(put({ ...usual, ...body })).rejects.toMatchObject({
        name: 'Conflict',
        field,
        message: expect.stringContaining('everleaf renewal rollback 0199aa'),
      });
      expect(await d.row(id)).toEqual(before);
    });
    it('where it is dialled, and by which policy it is renewed next, may change', async () => {
      const { view } = await put({ ...usual, host: 'lb.example.com', port: 8443, policy_id: '100-day' });
      expect(view).toMatchObject({ host: 'lb.example.com', port: 8443, policy_id: '100-day', live_job: '0199aa' });
    });
    it('it is not deleted', async () => {
      await expect(deleteEndpoint(d.world, { caller: olga, endpoint_id: id })).rejects.toThrow(Conflict);
      expect(await get()).toMatchObject({ live_job: '0199aa' });
    });
  });

  describe('deleting one', () => {
    it('takes its row away, by a stamped deletion', async () => {
      await put(usual);
      expect(await deleteEndpoint(d.world, { caller: olga, endpoint_id: id })).toEqual({
        endpoint_id: id,
        deleted: true,
      });
      expect(await d.row(id)).toBeUndefined();
      await expect(get()).rejects.toThrow(NotFound);
      await expect(deleteEndpoint(d.world, { caller: olga, endpoint_id: id })).rejects.toThrow(NotFound);
    });
    it('is not carried out when a renewal begins in between', async () => {
      await put(usual);
      let begun = false;
      const documents = new Proxy(d.world.documents, {
        get: (target, name) =>
          name !== 'send'
            ? Reflect.get(target, name)
            : async (command: object) => {
                // Between the mark and the deletion, as another request writes: with the version raised.
                if (command.constructor.name === 'DeleteCommand' && !begun) {
                  begun = true;
                  await d.edit(id, { live_job: '0199aa', row_version: 99 });
                }
                return Reflect.apply(target.send, target, [command]);
              },
      });
      const world = { ...d.world, documents };
      await expect(deleteEndpoint(world, { caller: olga, endpoint_id: id })).rejects.toThrow(Conflict);
      expect(begun).toBe(true);
      expect(await get()).toMatchObject({ live_job: '0199aa' });
    });
  });

  it('a caller that was suspended meanwhile changes nothing', async () => {
    const late = await d.enrol('late', 'operator');
    await put(usual, { caller: late });
    await d.suspend(late);
    await expect(put({ ...usual, port: 8443 }, { caller: late })).rejects.toThrow(NotAllowed);
    await expect(deleteEndpoint(d.world, { caller: late, endpoint_id: id })).rejects.toThrow(NotAllowed);
    expect(await get()).toMatchObject({ port: 443 });
  });

  it.each([
    ['policy_id', 'policy'],
    ['fleet_id', 'fleet'],
  ])('is not put with a %s that is deleted in between', async (field, kind) => {
    const gone = `web-gone-${kind}`;
    await putPolicy(d.world, { caller: olga, policy_id: gone, input: { preset: '47-day' } });
    const settings = { endpoint_ids: ['*'], poll_after_seconds: 10, closed: false };
    await putFleet(d.world, { caller: olga, fleet_id: gone, input: settings });
    let deleted = false;
    const documents = new Proxy(d.world.documents, {
      get: (target, name) =>
        name !== 'send'
          ? Reflect.get(target, name)
          : async (command: object) => {
              if (command.constructor.name === 'TransactWriteCommand' && !deleted) {
                deleted = true;
                await d.remove(`${kind}#${gone}`);
              }
              return Reflect.apply(target.send, target, [command]);
            },
    });
    const late = put({ ...usual, fleet_id: gone, policy_id: gone }, { world: { ...d.world, documents } });
    await expect(late).rejects.toMatchObject({ name: 'InvalidInput', field });
    expect(await d.row(id)).toBeUndefined();
  });

  it('two that put the same endpoint at once leave one whole endpoint', async () => {
    const ports = [1001, 1002, 1003, 1004];
    const answers = await Promise.all(ports.map((port) => put({ ...usual, port })));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    const row = await d.row(id);
    expect(ports).toContain(row?.port);
    expect(row).toMatchObject({ row_version: 4, ...usual });
  });
});
