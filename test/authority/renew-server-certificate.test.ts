import { createPrivateKey, X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { GetParameterCommand, GetParameterHistoryCommand, SSMClient } from '@aws-sdk/client-ssm';
import { expect, it, vi } from 'vitest';
import { renewServerCertificate, type ServerWorld } from '../../src/authority/renew-server-certificate.ts';
import { openParameters } from '../../src/aws/parameters.ts';
import { LeaseHeld } from '../../src/errors.ts';
import { acquireLease, wantLease } from '../../src/lease.ts';
import { leasedThings, type Parameter, parameterName } from '../../src/names.ts';
import { makeDeployment } from '../certificate/deployment.ts';
import { describeWithEmulator } from '../emulator.ts';
import { testAuthor } from '../stamps.ts';

const domain = 'airunner.example.com';

describeWithEmulator('renewing the server’s certificate', (emulator) => {
  const make = async () => {
    const d = await makeDeployment(emulator);
    const ssm = emulator.client(SSMClient);
    const world: ServerWorld = { ...d.world, parameters: openParameters(d.world.deployment, ssm) };
    const Name = (parameter: Parameter) => parameterName(d.world.deployment, parameter);
    const read = async (parameter: Parameter) =>
      (await ssm.send(new GetParameterCommand({ Name: Name(parameter), WithDecryption: true }))).Parameter;
    const history = async (parameter: Parameter) =>
      (await ssm.send(new GetParameterHistoryCommand({ Name: Name(parameter), WithDecryption: true }))).Parameters ??
      [];
    return { d, world, read, history };
  };
  const matches = (keyAndChain: string): boolean =>
    new X509Certificate(keyAndChain.slice(keyAndChain.indexOf('-----BEGIN CERT'))).checkPrivateKey(
      createPrivateKey(keyAndChain),
    );

  it('keeps key and chain together, the chain again beside, and tells neither', async () => {
    const { d, world, read } = await make();
    const answer = await renewServerCertificate(world, testAuthor, { domain, asked: domain });
    const key = await read('server-key');
    const cert = await read('server-cert');
    expect(key?.Type).toBe('SecureString');
    expect(key?.Value).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(key?.Value?.endsWith(cert?.Value ?? '?')).toBe(true);
    expect(matches(key?.Value ?? '')).toBe(true);
    expect(cert?.Value).not.toContain('PRIVATE');
    expect(cert?.Value?.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(new X509Certificate(cert?.Value ?? '').verify(new X509Certificate(d.root).publicKey)).toBe(true);
    expect(Object.keys(answer).sort()).toEqual(['expires_at', 'fingerprint', 'serial_number']);
    expect(Math.abs(answer.expires_at - Date.now() - 90 * 86_400_000)).toBeLessThan(10_000);
  });

  it('serves this deployment’s domain and no other that it is asked for', async () => {
    const { world } = await make();
    await expect(renewServerCertificate(world, testAuthor, { domain, asked: 'other.example' })).rejects.toMatchObject({
      name: 'InvalidInput',
      field: 'domain',
    });
  });

  it('makes a new key each time and leaves the version before restorable', async () => {
    const { world, history } = await make();
    await renewServerCertificate(world, testAuthor, { domain });
    await renewServerCertificate(world, testAuthor, { domain });
    const versions = (await history('server-key')).map(({ Value }) => Value ?? '');
    expect(versions).toHaveLength(2);
    expect(versions.map(matches)).toEqual([true, true]);
    expect(versions[0]?.split('-----END')[0]).not.toBe(versions[1]?.split('-----END')[0]);
    expect(await history('server-cert')).toHaveLength(2);
  });

  it('heals, when it is run again, what died between the two writes', async () => {
    const { world, read } = await make();
    await renewServerCertificate(world, testAuthor, { domain });
    const write = vi.fn(async (...args: Parameters<ServerWorld['parameters']['write']>) => {
      if (args[0] === 'server-cert') throw new Error('crash');
      await world.parameters.write(...args);
    });
    await expect(renewServerCertificate({ ...world, parameters: { write } }, testAuthor, { domain })).rejects.toThrow(
      'crash',
    );
    const between = (await read('server-key'))?.Value ?? '';
    expect(matches(between)).toBe(true);
    expect(between.endsWith((await read('server-cert'))?.Value ?? '?')).toBe(false);
    await renewServerCertificate(world, testAuthor, { domain });
    expect((await read('server-key'))?.Value?.endsWith((await read('server-cert'))?.Value ?? '?')).toBe(true);
  });

  it('waits for nobody: another run, or an emergency that wants the lease, stops it before it writes', async () => {
    const { world, read } = await make();
    await acquireLease(world, testAuthor, leasedThings.serverCertificate, { holder: 'another', ttl_ms: 60_000 });
    await expect(renewServerCertificate(world, testAuthor, { domain })).rejects.toThrow(LeaseHeld);
    const wanted = await make();
    const sign: ServerWorld['sign'] = async (request) => {
      await wantLease(wanted.world, testAuthor, leasedThings.serverCertificate);
      return wanted.world.sign(request);
    };
    await expect(renewServerCertificate({ ...wanted.world, sign }, testAuthor, { domain })).rejects.toThrow(LeaseHeld);
    await expect(read('server-key')).rejects.toThrow();
    await expect(wanted.read('server-key')).rejects.toThrow();
  });

  it('shows no key in the error of a write that failed, and gives the lease back', async () => {
    const { world } = await make();
    let written = '';
    const refusing = emulator.client(SSMClient);
    // As AWS refuses a value: with the value in its message.
    refusing.middlewareStack.add(
      () => async (args) => {
        written = JSON.stringify(args.input);
        throw Object.assign(new Error(`1 validation error: Value ${written}`), { name: 'ValidationException' });
      },
      { step: 'initialize' },
    );
    const parameters = openParameters(world.deployment, refusing);
    const error = await renewServerCertificate({ ...world, parameters }, testAuthor, { domain }).catch(
      (thrown: unknown) => thrown,
    );
    expect(written).toContain('PRIVATE KEY');
    expect(inspect(error, { depth: null })).toContain('ValidationException');
    expect(inspect(error, { depth: null })).not.toContain('PRIVATE KEY');
    await renewServerCertificate(world, testAuthor, { domain });
  });
});
