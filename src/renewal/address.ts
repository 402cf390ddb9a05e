/** Which addresses the stack's own functions may dial: public ones, and what was named at deployment. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { canonicalAddress, isDnsName } from './names.ts';

/** What IANA's special-purpose registry (RFC 6890) says is not globally reachable. */
const special: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/** Of IPv6 only this is handed out to networks that everybody reaches; within it, these are not. */
const globalUnicast = ['2000::', 3] as const;
const special6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

/** Where clouds hand out credentials. A network that contains one of them does not name it. */
const metadata: ReadonlySet<string> = new Set([
  '169.254.169.254',
  '169.254.169.253',
  '169.254.170.2',
  '169.254.170.23',
  '169.254.169.123',
  '100.100.100.200',
  '168.63.129.16',
  'fd00:ec2::254',
  'fd00:ec2::253',
  'fd00:ec2::23',
  'fd20:ce::254',
]);

const family = (address: string): 'ipv4' | 'ipv6' => (isIPv4(address) ? 'ipv4' : 'ipv6');

const blocked = new BlockList();
for (const [net, bits] of special) blocked.addSubnet(net, bits, 'ipv4');
for (const [net, bits] of special6) blocked.addSubnet(net, bits, 'ipv6');
const global6 = new BlockList();
global6.addSubnet(...globalUnicast, 'ipv6');

/** The IPv4 address within an IPv6 one that stands for it (RFC 4291 2.5.5.2, RFC 6052 2.1). */
const embedded = (address: string): string | null => {
  const match = /^(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address);
  if (match === null) return null;
  const value = Number.parseInt(match[1] ?? '', 16) * 65_536 + Number.parseInt(match[2] ?? '', 16);
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
};

/** One form for one address, whatever stands for it. @throws Error for what is no address */
const plain = (text: string): string => {
  const address = canonicalAddress(text.replace(/%.*$/, ''));
  if (address === null) throw new Error(`${text} is no address`);
  return embedded(address) ?? address;
};

/** Loopback, private, link-local, documentation, multicast, metadata and the like. @throws Error for what is no address */
export const isPrivateAddress = (text: string): boolean => {
  const address = plain(text);
  if (metadata.has(address)) return true;
  return family(address) === 'ipv4'
    ? blocked.check(address, 'ipv4')
    : !global6.check(address, 'ipv6') || blocked.check(address, 'ipv6');
};

/** What was named at deployment: host names, addresses, networks. */
export interface Reachable {
  readonly hosts: ReadonlySet<string>;
  readonly addresses: ReadonlySet<string>;
  readonly networks: BlockList;
}

/** `db.internal, 10.0.0.0/8, 127.0.0.1`: commas between. @throws Error naming what is none of the three */
export const parseReachable = (text: string): Reachable => {
  const hosts = new Set<string>();
  const addresses = new Set<string>();
  const networks = new BlockList();
  for (const item of text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')) {
    const [net = '', bits] = item.split('/');
    const address = canonicalAddress(net);
    if (bits === undefined && address !== null) addresses.add(plain(address));
    else if (bits === undefined && isDnsName(item)) hosts.add(item);
    else if (address !== null && /^\d{1,3}$/.test(bits ?? '') && Number(bits) <= (isIPv6(address) ? 128 : 32))
      networks.addSubnet(address, Number(bits), family(address));
    else throw new Error(`${item} is no host name, address or network`);
  }
  return { hosts, addresses, networks };
};

export const nothingNamed: Reachable = parseReachable('');

/**
 * Whether a function may dial `address`, which `host` resolved to, or is. To be asked of every address, and of the one
 * that is dialled: what a name resolves to changes.
 */
export const mayDial = (reachable: Reachable, host: string, address: string): boolean => {
  const one = plain(address);
  if (!isPrivateAddress(one)) return true;
  if (reachable.addresses.has(one)) return true;
  if (metadata.has(one)) return false;
  return reachable.hosts.has(host) || reachable.networks.check(one, family(one));
};
