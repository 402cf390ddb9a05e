/** Refuses a request that asks for anything that its certificate will not have, instead of silently leaving it out. */
import { InvalidInput } from '../errors.ts';
import { canonicalAddress } from '../renewal/names.ts';
import type { Csr } from './csr.ts';
import { type Der, readOid, tags } from './der.ts';
import type { Expected, Name } from './profile.ts';

const commonName = '2.5.4.3';
const usages = { clientAuth: '1.3.6.1.5.5.7.3.2', serverAuth: '1.3.6.1.5.5.7.3.1' } as const;
/** GeneralName's context tags, RFC 5280 4.2.1.6. */
const nameKinds: Readonly<Record<number, Name['kind']>> = { 130: 'dns', 134: 'uri', 135: 'ip' };
const subjectKeyIdentifier = '2.5.29.14';

const refuse = (message: string): never => {
  throw new InvalidInput('csr', message);
};

/**
 * A subject is absent or exactly the common name; SANs are absent or exactly those that will be issued, in any order; key
 * usage at most digitalSignature; extended key usage at most the profile's; no CA. @throws InvalidInput on `csr`
 */
export const checkRequest = (csr: Csr, expected: Expected): void => {
  for (const { oid, value } of csr.subject) {
    if (oid !== commonName) refuse('subject may hold a common name only');
    if (value !== expected.common_name) refuse(`subject is not CN=${expected.common_name}`);
  }
  if (csr.subject.length > 1) refuse('subject holds several common names');
  for (const { oid, value } of csr.extensions) {
    const check = Object.hasOwn(checks, oid) ? checks[oid] : undefined;
    if (check === undefined) throw new InvalidInput('csr', `extension ${oid} is not issued here`);
    check(value, expected);
  }
};

const said = ({ kind, value }: Name): string => `${kind.toUpperCase()}:${value}`;

/** RFC 5280 4.2.1.6: an address is its 4 or 16 octets. */
const addressOf = (octets: Uint8Array): string => {
  if (octets.length === 4) return octets.join('.');
  const groups = Buffer.from(octets).toString('hex').match(/.{4}/g) ?? [];
  return canonicalAddress(groups.join(':')) ?? '';
};

/** What is no name that is ever issued is said to be none, with its tag: it equals nothing. */
const saidBy = ({ tag, content }: Der): string => {
  const kind = nameKinds[tag];
  if (kind === undefined) return `tag ${tag}`;
  return said({ kind, value: kind === 'ip' ? addressOf(content) : Buffer.from(content).toString('latin1') });
};

const checks: Readonly<Record<string, (value: Der, expected: Expected) => void>> = {
  [subjectKeyIdentifier]: () => undefined,
  '2.5.29.17': (names, expected) => {
    const wanted = expected.names.map(said);
    const asked = names.tag === tags.sequence ? names.children.map(saidBy) : [];
    const exact = asked.length === wanted.length && new Set(asked).size === asked.length;
    if (exact && asked.every((name) => wanted.some((one) => one === name))) return;
    const missing = wanted.find((name) => !asked.includes(name));
    if (wanted.length > 1 && missing !== undefined) refuse(`subject alternative names lack ${missing}`);
    const all = wanted.length > 1 ? `those ${wanted.length} that are issued` : wanted.join();
    refuse(`subject alternative name may only be ${all}`);
  },
  '2.5.29.19': (constraints) => {
    if (constraints.tag !== tags.sequence || constraints.children.length > 0)
      refuse('a certificate authority (CA:true) is not issued here');
  },
  '2.5.29.15': (usage) => {
    // One octet of bits, digitalSignature first; RFC 5280 4.2.1.3.
    const digitalSignature = usage.tag === tags.bitString && usage.content.length === 2 && usage.content[1] === 0x80;
    if (!digitalSignature) refuse('key usage may only be digitalSignature');
  },
  '2.5.29.37': (usage, expected) => {
    const allowed = new Set<string>(expected.usages.map((one) => usages[one]));
    const exact =
      usage.tag === tags.sequence &&
      usage.children.length > 0 &&
      usage.children.every((purpose) => purpose.tag === tags.oid && allowed.has(readOid(purpose.content)));
    if (!exact) refuse(`extended key usage may only be ${expected.usages.join(', ')}`);
  },
};
