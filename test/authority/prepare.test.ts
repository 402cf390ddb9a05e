/** A first deployment finds what it needs, a second finds it unchanged, and only a failed first one leaves nothing. */
import { ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import { beforeEach, expect, test } from 'vitest';
import { holdsRootOf } from '../../src/authority/bundle.ts';
import { type PreparationWorld, prepareAuthority, unprepareAuthority } from '../../src/authority/prepare.ts';
import { findRoot } from '../../src/authority/root.ts';
import { stillOurs, updateTruststore } from '../../src/authority/truststore.ts';
import { Conflict, LeaseHeld, Unavailable } from '../../src/errors.ts';
import { acquireLease, releaseLease } from '../../src/lease.ts';
import { controlKeys, generationCopies, leasedThings, tableName } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { testAuthor } from '../stamps.ts';
import { makeRoot, makeTruststore, type TestTruststore } from './truststore-deployment.ts';

const copies = Array.from({ length: generationCopies }, (_, copy) => controlKeys.generation(copy));

describeWithEmulator('the preparation of the authority', (emulator) => {
  let there: TestTruststore;
  let world: PreparationWorld;

  beforeEach(async () => {
    there = await makeTruststore(emulator);
    world = there.prepare;
    const TableName = tableName(there.deployment, 'controls');
    for (const control_id of copies) await world.documents.send(new DeleteCommand({ TableName, Key: { control_id } }));
  });

  const versions = async (): Promise<number> => {
    const { Versions = [], DeleteMarkers = [] } = await there.s3.send(
      new ListObjectVersionsCommand({ Bucket: there.bucket }),
    );
    return Versions.length + DeleteMarkers.length;
  };
  const generations = async () => Promise.all(copies.map(async (id) => (await there.row('controls', id))?.generation));

  const expectPrepared = async () => {
    const object = await world.truststore.read();
    expect(holdsRootOf(object?.pem ?? '', there.own.spki, Date.now())).toBe(true);
    const published = await world.parameters.read('ca-cert');
    expect(object?.pem).toContain(published);
    expect(published).toBe(findRoot(published ?? '', there.own.spki, Date.now()).pem);
    expect(await generations()).toEqual(copies.map(() => 0));
  };

  test('makes the root, ca-cert and sixteen copies of generation 0', async () => {
    await prepareAuthority(world, testAuthor);
    await expectPrepared();
    expect(await versions()).toBe(1);
  });

  test('done again changes nothing, whatever was rotated or raised since', async () => {
    await prepareAuthority(world, testAuthor);
    await updateTruststore(there.update, testAuthor, { add: [await (await makeRoot(there.deployment)).root()] });
    for (const control_id of copies) await there.put('controls', { control_id, generation: 3 });
    const before = await world.truststore.read();
    await prepareAuthority(world, testAuthor);
    expect(await world.truststore.read()).toEqual(before);
    expect(await generations()).toEqual(copies.map(() => 3));
    expect(there.domain.state.version).toBe(before?.version);
  });

  test('by two at once makes one root', async () => {
    await Promise.all([prepareAuthority(world, testAuthor), prepareAuthority(world, testAuthor)]);
    await expectPrepared();
    expect(await versions()).toBe(1);
  });

  test('adds its root where others are trusted already', async () => {
    const foreign = await (await makeRoot(there.deployment)).root();
    await there.overwrite(foreign);
    await prepareAuthority(world, testAuthor);
    await expectPrepared();
    expect((await world.truststore.read())?.pem).toContain(foreign);
  });

  test('goes on where a run died between the truststore and ca-cert', async () => {
    const write = async () => {
      throw new Error('the process died');
    };
    const dying = { ...world, parameters: { ...world.parameters, write } };
    await expect(prepareAuthority(dying, testAuthor)).rejects.toThrow('died');
    await prepareAuthority(world, testAuthor);
    await expectPrepared();
    expect(await versions()).toBe(1);
  });

  test('waits for IAM to know its role, and for another holder of the lease', async () => {
    const denied = Object.assign(new Error('not authorized to perform kms:DescribeKey'), {
      name: 'AccessDeniedException',
    });
    const held = await acquireLease(world, testAuthor, leasedThings.truststore, { holder: 'another', ttl_ms: 60_000 });
    let waits = 0;
    const ownKey = async () => {
      if (waits < 4) throw denied;
      return there.own.spki;
    };
    const sleep = async () => {
      waits += 1;
      if (waits === 2) await releaseLease(world, testAuthor, held);
    };
    await prepareAuthority({ ...world, ownKey, sleep }, testAuthor);
    expect(waits).toBe(4);
    await expectPrepared();
  });

  test('gives up while there is still time to say why', async () => {
    await acquireLease(world, testAuthor, leasedThings.truststore, { holder: 'another', ttl_ms: 60_000 });
    await expect(prepareAuthority({ ...world, remaining_ms: () => 15_000 }, testAuthor)).rejects.toThrow(LeaseHeld);
  });

  test('refuses a key that is disabled, and a root of another key, and writes nothing', async () => {
    await expect(prepareAuthority({ ...world, ownKey: async () => null }, testAuthor)).rejects.toThrow(Unavailable);
    const signRoot = (await makeRoot(there.deployment)).root;
    await expect(prepareAuthority({ ...world, signRoot }, testAuthor)).rejects.toThrow(Conflict);
    expect(await versions()).toBe(0);
    expect(await world.parameters.read('ca-cert')).toBeNull();
  });

  test('does not mend a generation that lost some copies: that is an accident to look into', async () => {
    await there.put('controls', { control_id: controlKeys.generation(3), generation: 7 });
    await expect(prepareAuthority(world, testAuthor)).rejects.toThrow(/copies of the generation are missing/);
    expect((await generations()).filter((generation) => generation !== undefined)).toEqual([7]);
  });

  test('is taken back by the rollback of a first creation, which can then be repeated', async () => {
    await prepareAuthority(world, testAuthor);
    await there.overwrite('something else');
    const outcome = await unprepareAuthority({ ...world, stackStatus: async () => 'ROLLBACK_IN_PROGRESS' }, testAuthor);
    expect(outcome).toBe('removed');
    expect(await versions()).toBe(0);
    expect(await world.parameters.read('ca-cert')).toBeNull();
    expect(await unprepareAuthority({ ...world, stackStatus: async () => 'ROLLBACK_IN_PROGRESS' }, testAuthor)).toBe(
      'removed',
    );
    await prepareAuthority(world, testAuthor);
    await expectPrepared();
  });

  test('that is asked for again after its rollback makes nothing', async () => {
    for (const status of ['ROLLBACK_IN_PROGRESS', 'ROLLBACK_COMPLETE', 'DELETE_IN_PROGRESS', 'CREATE_COMPLETE'])
      await expect(prepareAuthority({ ...world, stackStatus: async () => status }, testAuthor)).rejects.toThrow(
        Conflict,
      );
    expect(await versions()).toBe(0);
    expect(await world.parameters.read('ca-cert')).toBeNull();
    expect(await generations()).toEqual(copies.map(() => undefined));
  });

  test('stops before its next write when the stack has begun to roll back', async () => {
    const statuses = ['CREATE_IN_PROGRESS'];
    const stackStatus = async () => statuses.pop() ?? 'ROLLBACK_IN_PROGRESS';
    await expect(prepareAuthority({ ...world, stackStatus }, testAuthor)).rejects.toThrow(Conflict);
    expect(await versions()).toBe(1);
    expect(await world.parameters.read('ca-cert')).toBeNull();
  });

  test('writes nothing with a lease that is over, however late it runs', async () => {
    const late = { ...world, remaining_ms: () => -5_000 };
    const lease = await acquireLease(world, testAuthor, leasedThings.truststore, { holder: 'late', ttl_ms: 0 });
    await expect(stillOurs(late, lease)).rejects.toThrow(LeaseHeld);
  });

  test('is taken back only under the lease: waits for its holder, and gives up while there is time to say why', async () => {
    await prepareAuthority(world, testAuthor);
    const rollback = { ...world, stackStatus: async () => 'ROLLBACK_IN_PROGRESS' };
    const held = await acquireLease(world, testAuthor, leasedThings.truststore, { holder: 'another', ttl_ms: 60_000 });
    await expect(unprepareAuthority({ ...rollback, remaining_ms: () => 15_000 }, testAuthor)).rejects.toThrow(
      LeaseHeld,
    );
    await expectPrepared();
    const sleep = () => releaseLease(world, testAuthor, held);
    expect(await unprepareAuthority({ ...rollback, sleep }, testAuthor)).toBe('removed');
    expect(await versions()).toBe(0);
  });

  test.each([
    'CREATE_IN_PROGRESS',
    'CREATE_COMPLETE',
    'UPDATE_IN_PROGRESS',
    'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS',
    'UPDATE_COMPLETE',
    'UPDATE_ROLLBACK_IN_PROGRESS',
    'UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS',
    'UPDATE_ROLLBACK_COMPLETE',
    'DELETE_IN_PROGRESS',
    'REVIEW_IN_PROGRESS',
    'IMPORT_ROLLBACK_IN_PROGRESS',
    'ROLLBACK_COMPLETE',
    'ROLLBACK_FAILED',
    'SOMETHING_NEW',
  ])('stays when it is deleted while the stack is in %s', async (status) => {
    await prepareAuthority(world, testAuthor);
    expect(await unprepareAuthority({ ...world, stackStatus: async () => status }, testAuthor)).toBe('kept');
    await expectPrepared();
  });
});
