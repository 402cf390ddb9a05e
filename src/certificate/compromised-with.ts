/** Which certificates fall with one whose key was compromised: whoever held that key could have renewed them, or holds theirs. */
import type { World } from '../world.ts';
import { type Certificate, mayStillBeUsed } from './certificate.ts';
import { findCertificates } from './find-certificates.ts';

/** Clocks of two issuing functions differ by less than this (ms), so no descendant was issued that much earlier. */
const skew_ms = 10 * 60_000;

/**
 * The serials, among `known`, that were renewed from the named one, directly or not, or share a key with one that
 * falls; the named one first. Pure: `known` must hold the ancestors that `withAncestors` adds.
 */
export const compromisedWith = (named: string, known: readonly Certificate[]): string[] => {
  const fallen = new Set([named]);
  const keys = new Set<string>();
  for (let before = -1; before !== fallen.size + keys.size; ) {
    before = fallen.size + keys.size;
    for (const { serial_number, renewed_from, public_key_sha256 } of known) {
      const falls =
        fallen.has(serial_number) ||
        (renewed_from !== undefined && fallen.has(renewed_from)) ||
        (public_key_sha256 !== undefined && keys.has(public_key_sha256));
      if (!falls) continue;
      fallen.add(serial_number);
      if (public_key_sha256 !== undefined) keys.add(public_key_sha256);
    }
  }
  return [...fallen];
};

/**
 * Adds what lies between the certificates and `named`: the chains of `renewed_from`, followed no further back than it.
 * `walked` remembers from call to call what is beyond use and so does not change any more.
 */
export const withAncestors = async (
  world: World,
  named: Certificate,
  certificates: readonly Certificate[],
  walked: Map<string, Certificate>,
): Promise<readonly Certificate[]> => {
  const now = world.now();
  const known = new Map([named, ...certificates].map((certificate) => [certificate.serial_number, certificate]));
  const oldest = (named.issued_at ?? 0) - skew_ms;
  const asked = new Set(known.keys());
  for (let newest = [...known.values()]; newest.length > 0; ) {
    const parents = newest
      .filter(({ issued_at }) => (issued_at ?? oldest) >= oldest)
      .flatMap(({ renewed_from }) => (renewed_from === undefined || asked.has(renewed_from) ? [] : [renewed_from]));
    for (const parent of parents) asked.add(parent);
    const unwalked = parents.filter((parent) => !walked.has(parent));
    newest = [...parents.flatMap((parent) => walked.get(parent) ?? []), ...(await findCertificates(world, unwalked))];
    for (const certificate of newest) {
      known.set(certificate.serial_number, certificate);
      if (!mayStillBeUsed(certificate, now)) walked.set(certificate.serial_number, certificate);
    }
  }
  return [...known.values()];
};
