/** Refuses a request that asks for anything that its certificate will not have, instead of silently leaving it out. */
import { InvalidInput } from '../errors.ts';
import type { Csr } from './csr.ts';
import { type Der, readOid, tags } from './der.ts';
import type { Expected } from './profile.ts';

const commonName = '2.5.4.3';
const usages = { clientAuth: '1.3.6.1.5.5.7.3.2', serverAuth: '1.3.6.1.5.5.7.3.1' } as const;
/** GeneralName's context tags, RFC 5280 4.2.1.6. */
const nameTags = { dns: 0x82, uri: 0x86 } as const;
const subjectKeyIdentifier = '2.5.29.14';

const refuse = (message: string): never => {
  throw new InvalidInput('csr', message);
};

/**
 * A subject is absent or exactly the common name; a SAN absent or exactly the one that will be issued; key usage at
 * most digitalSignature; extended key usage at most the profile's; no CA. @throws InvalidInput on `csr`
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

const checks: Readonly<Record<string, (value: Der, expected: Expected) => void>> = {
  [subjectKeyIdentifier]: () => undefined,
  '2.5.29.17': (names, { name }) => {
    const [only, ...others] = names.children;
    const exact =
      names.tag === tags.sequence &&
      others.length === 0 &&
      only?.tag === nameTags[name.kind] &&
      Buffer.from(only.content).equals(Buffer.from(name.value, 'utf8'));
    if (!exact) refuse(`subject alternative name may only be ${name.kind.toUpperCase()}:${name.value}`);
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
    const allowed = usages[expected.usage];
    const exact =
      usage.tag === tags.sequence &&
      usage.children.length > 0 &&
      usage.children.every((purpose) => purpose.tag === tags.oid && readOid(purpose.content) === allowed);
    if (!exact) refuse(`extended key usage may only be ${expected.usage}`);
  },
};
