/** Renews the server's certificate and key: made here, kept in SSM, told to nobody. */
import { X509Certificate } from 'node:crypto';
import type { Author } from '../audit/stamp.ts';
import type { Parameters } from '../aws/parameters.ts';
import { backdate_ms, day_ms, serverLifetime_days, validityFrom } from '../certificate/lifetime.ts';
import { newSerial } from '../certificate/serial.ts';
import { InvalidInput } from '../errors.ts';
import { acquireLease, assertLease, releaseLease } from '../lease.ts';
import { leasedThings } from '../names.ts';
import type { World } from '../world.ts';
import { makeCsr, makeKey, writeKey } from './make-csr.ts';
import { sha256 } from './public-key.ts';
import type { Sign } from './sign-request.ts';

export interface ServerWorld extends World {
  readonly sign: Sign;
  readonly parameters: Pick<Parameters, 'write'>;
}

/** What may be known of the new certificate: never its key. */
export interface ServerCertificate {
  readonly serial_number: string;
  /** Lower-case hex of SHA-256 over the DER. */
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly expires_at: number;
}

const lease_ms = 180_000;
/** What must be left of the lease before a write: longer than the function's timeout. */
const needs_ms = 90_000;

/**
 * Each run makes a new key and a certificate of 90 days for `domain`. `server-key` is written first and is complete by
 * itself, key followed by chain; `server-cert`, the same chain, after it. A run that dies between the two is healed by
 * the next. SSM keeps the versions before. A domain `asked` for by name must be that one. @throws LeaseHeld, Unavailable, InvalidInput
 */
export const renewServerCertificate = async (
  world: ServerWorld,
  author: Author,
  { domain, asked = domain }: { readonly domain: string; readonly asked?: string | undefined },
): Promise<ServerCertificate> => {
  if (asked !== domain) throw new InvalidInput('domain', `is not this deployment's, which is ${domain}`);
  const lease = await acquireLease(world, author, leasedThings.serverCertificate, {
    holder: 'renew-server-certificate',
    ttl_ms: lease_ms,
  });
  try {
    const key = makeKey();
    const { issued_at, expires_at } = validityFrom(world.now(), serverLifetime_days * day_ms);
    const serial_number = newSerial(issued_at, world.randomBytes);
    const { pem, chain } = await world.sign({
      profile: 'server',
      csr: await makeCsr(key),
      serial_number,
      domain,
      not_before_ms: issued_at - backdate_ms,
      not_after_ms: expires_at,
    });
    const certificate = new X509Certificate(pem);
    const whole = `${pem.trim()}\n${chain.trim()}\n`;
    await assertLease(world, lease, { needs_ms });
    await world.parameters.write('server-key', `${writeKey(key).trim()}\n${whole}`, 'secret');
    await assertLease(world, lease, { needs_ms });
    await world.parameters.write('server-cert', whole, 'plain');
    return {
      serial_number,
      fingerprint: sha256(certificate.raw),
      expires_at: Date.parse(certificate.validTo),
    };
  } finally {
    await releaseLease(world, author, lease);
  }
};
