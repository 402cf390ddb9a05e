/** Which roots a verifier of the API's domain needs. */
import { rootCertificates } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../../src/authority/make-csr.ts';
import { readCertificates, trustBundle } from '../../src/cli/trust-bundle.ts';
import { type Authority, makeAuthority } from './authority.ts';

describe('the bundle', () => {
  let ours: Authority;
  let root: Authority;
  let issuer: Authority;
  let leaf: string;
  const names = (pem: string) => readCertificates(pem).map(({ subject }) => subject);

  beforeAll(async () => {
    ours = await makeAuthority('CN=Ours');
    root = await makeAuthority('CN=Root');
    issuer = await root.delegate('CN=Issuer');
    leaf = (await issuer.issue(makeKey(), 'CN=leaf')).pem;
  });

  it('holds the public root that issued the chain, though the chain leaves it out', () => {
    const { pem } = trustBundle(ours.pem, leaf + issuer.pem, [...rootCertificates, root.pem]);
    expect(names(pem)).toEqual(['CN=Ours', 'CN=Root']);
  });
  it('does not believe a root of the same name', async () => {
    const namesake = await makeAuthority('CN=Root');
    const { pem } = trustBundle(ours.pem, leaf + issuer.pem + root.pem, [namesake.pem]);
    expect(readCertificates(pem)[1]?.fingerprint256).toBe(readCertificates(root.pem)[0]?.fingerprint256);
  });
  it('falls back to the chain’s own root, then to its last certificate', () => {
    expect(names(trustBundle(ours.pem, leaf + issuer.pem + root.pem, []).pem)).toEqual(['CN=Ours', 'CN=Root']);
    expect(names(trustBundle(ours.pem, leaf + issuer.pem, []).pem)).toEqual(['CN=Ours', 'CN=Issuer']);
  });
  it('holds each certificate once, and all of ours', async () => {
    const second = await makeAuthority('CN=Ours next');
    const { pem } = trustBundle(ours.pem + second.pem + ours.pem, ours.pem, []);
    expect(names(pem)).toEqual(['CN=Ours', 'CN=Ours next']);
  });
});
