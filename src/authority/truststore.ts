/** Changes whom the domain trusts. This and the preparation before it are the truststore's only writers, under one lease. */
import type { X509Certificate } from 'node:crypto';
import type { Author } from '../audit/stamp.ts';
import type { DomainTruststore, MutualTlsDomain } from '../aws/domain.ts';
import type { Parameters } from '../aws/parameters.ts';
import type { TruststoreObject } from '../aws/truststore.ts';
import { Conflict, Unavailable } from '../errors.ts';
import { acquireLease, assertLease, clockSkew_ms, type Lease, releaseLease } from '../lease.ts';
import { leasedThings } from '../names.ts';
import type { World } from '../world.ts';
import { type BundleChange, changeBundle, fingerprintOf, publishedRoots } from './bundle.ts';
import { readBundle } from './root.ts';

export interface TruststoreWorld extends World {
  readonly truststore: TruststoreObject;
  readonly domain: MutualTlsDomain;
  readonly parameters: Pick<Parameters, 'read' | 'write'>;
  /** Public half (DER) of the stack's own key; null when that is not enabled, as after a compromise. */
  readonly ownKey: () => Promise<Uint8Array | null>;
  /** ms until this function is cut off: whatever it is doing then ends. */
  readonly remaining_ms: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

export interface TruststoreState {
  readonly version: string;
  readonly changed: boolean;
  readonly certificates: readonly { readonly sha256: string; readonly subject: string; readonly not_after: string }[];
  /** What API Gateway says against certificates in it. Not empty: their clients stay out. */
  readonly warnings: readonly string[];
}

/** The longest that a function which takes it runs (its timeout in lib/authority.ts), and the lease well beyond that; ms. */
const longestRun_ms = 180_000;
export const truststoreLease_ms = 240_000;

/** A write is begun only while the lease lasts longer than whoever writes, who may run late: its time is then below 0. */
export const stillOurs = (world: World & { readonly remaining_ms: () => number }, lease: Lease): Promise<void> =>
  assertLease(world, lease, { needs_ms: Math.min(Math.max(0, world.remaining_ms()), longestRun_ms) + clockSkew_ms });
const poll_ms = 2_000;

/**
 * Adds and removes certificate authorities: object, then domain, then `ca-cert`, from which certificates are issued,
 * so that nothing is issued that the domain does not accept yet. Each step is left out where it is done already: run
 * again after a crash, with the same change or with none, it finishes what was begun.
 * @throws InvalidInput, Conflict, LeaseHeld, Unavailable
 */
export async function updateTruststore(
  world: TruststoreWorld,
  author: Author,
  change: BundleChange,
): Promise<TruststoreState> {
  const lease = await acquireLease(world, author, leasedThings.truststore, {
    holder: 'update-truststore',
    ttl_ms: truststoreLease_ms,
  });
  try {
    const found = await world.truststore.read();
    if (found === null) throw new Conflict('there is no truststore; deploy the stack first');
    const own = await world.ownKey();
    const pem = changeBundle(found.pem, change, { own, now: world.now() });
    const published = await world.parameters.read('ca-cert');
    const roots = publishedRoots(pem, own, published);
    const changed = pem !== found.pem;
    if (changed) await stillOurs(world, lease);
    const current = changed ? await world.truststore.write(pem, found) : found;

    let domain = await world.domain.read();
    if (domain.version !== current.version) {
      await stillOurs(world, lease);
      await world.domain.useVersion(current.version);
    }
    domain = await settled(world, current.version);

    if (published !== roots) {
      await stillOurs(world, lease);
      await world.parameters.write('ca-cert', roots, 'plain');
    }
    return { version: current.version, changed, certificates: listed(pem), warnings: domain.warnings };
  } finally {
    await releaseLease(world, author, lease);
  }
}

/** Waits until the domain goes by `version`: before that, nothing may rely on it. */
async function settled(world: TruststoreWorld, version: string): Promise<DomainTruststore> {
  for (;;) {
    const domain = await world.domain.read();
    if (domain.settled && domain.version === version) return domain;
    if (world.remaining_ms() < 3 * poll_ms)
      throw new Unavailable('API Gateway is still taking the truststore over; run again');
    await world.sleep(poll_ms);
  }
}

const listed = (pem: string): TruststoreState['certificates'] =>
  readBundle(pem).map((certificate: X509Certificate) => ({
    sha256: fingerprintOf(certificate),
    subject: certificate.subject.replaceAll('\n', ', '),
    not_after: new Date(certificate.validTo).toISOString(),
  }));
