/** The names that an endpoint's certificate holds: DNS names as they stand on the wire, wildcards, IP addresses. */
import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';
import { z } from 'zod';
import type { Policy } from './policy.ts';

export const mostNames = 100;
/** RFC 5280, ub-common-name. */
const longestCommonName = 64;

const longestDnsName = 253;
const label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
/** What every URL parser takes for an IPv4 address. */
const number = /^(?:\d+|0x[0-9a-f]*)$/;

/** RFC 5891: `xn--` and what it decodes to must be each other's, or two programs would read two names. */
const isALabel = (text: string): boolean => {
  const decoded = domainToUnicode(text);
  return decoded !== '' && decoded !== text && domainToASCII(decoded) === text;
};

/** null: it is a DNS name in lower case whose international labels are A-labels. */
const wrongDnsName = (text: string): string | null => {
  const ascii = domainToASCII(text);
  if (/[^\x20-\x7e]/.test(text)) return ascii === '' ? 'is no host name' : `must be written in ASCII: ${ascii}`;
  if (text !== text.toLowerCase()) return 'must be in lower case';
  if (text.length > longestDnsName) return `must be at most ${longestDnsName} characters`;
  const labels = text.split('.');
  if (!labels.every((part) => label.test(part))) return 'is neither a host name nor an IP address';
  if (number.test(labels.at(-1) ?? '')) return 'is no host name, and no IP address either';
  const reserved = labels.find((part) => part.slice(2, 4) === '--');
  return reserved === undefined || (reserved.startsWith('xn--') && isALabel(reserved))
    ? null
    : `has a label that is no valid A-label (RFC 5891): ${reserved}`;
};

export const isDnsName = (text: string): boolean => wrongDnsName(text) === null;

/** The one way to write an address: RFC 5952 for IPv6. null: it is none. */
export const canonicalAddress = (text: string): string | null => {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return null;
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
};

export const isAddress = (text: string): boolean => canonicalAddress(text) !== null;
export const isWildcard = (text: string): boolean => text.startsWith('*.');

const wrongWildcard = (text: string): string | null => {
  const rest = text.slice(2);
  return wrongDnsName(rest) ?? (rest.includes('.') ? null : 'must stand for names in a domain, like *.example.com');
};

const refineName = (wrong: (text: string) => string | null) =>
  z.string().transform((text, context) => {
    const address = canonicalAddress(text);
    if (address !== null) return address;
    const message = wrong(text);
    if (message === null) return text;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

/** A DNS name, a wildcard for the leftmost label, or an IP address, which comes out in its one canonical form. */
export const nameSchema = refineName((text) => (isWildcard(text) ? wrongWildcard(text) : wrongDnsName(text)));

/** What can be dialled: a DNS name or an IP address. */
export const hostSchema = refineName(wrongDnsName);

export const dnsNameSchema = z.string().superRefine((text, context) => {
  const message = isAddress(text) ? 'must be a host name, not an address' : wrongDnsName(text);
  if (message !== null) context.addIssue({ code: 'custom', message });
});

/** The first is the certificate's common name as well. */
export const namesSchema = z
  .array(nameSchema)
  .min(1, 'must name at least one')
  .max(mostNames, `must be at most ${mostNames} names`)
  .refine((names) => new Set(names).size === names.length, 'must name each once')
  .refine(
    ([first = '']) => first.length <= longestCommonName,
    `must begin with one of at most ${longestCommonName} characters: it is the common name, too`,
  );

/** Whether a certificate for `pattern` is one for `name`: itself, or one label more where it is a wildcard. */
export const coversName = (pattern: string, name: string): boolean =>
  pattern === name || (isWildcard(pattern) && name.slice(name.indexOf('.')) === pattern.slice(1));

/** Why nothing can be issued for these names by this policy; null: it can. */
export const unfit = (names: readonly string[], { ca, challenge }: Policy): string | null => {
  if (ca.kind === 'private') return null;
  const wildcard = names.find(isWildcard);
  if (wildcard !== undefined && challenge !== 'dns-01')
    return `${wildcard} needs a policy whose challenge is dns-01, which alone proves wildcards`;
  const address = names.find(isAddress);
  if (address !== undefined && challenge === 'dns-01') return `${address} is an address, which dns-01 cannot prove`;
  const single = names.find((name) => !isAddress(name) && !name.includes('.'));
  return single === undefined ? null : `${single} is no public name: a public CA issues nothing for it`;
};
