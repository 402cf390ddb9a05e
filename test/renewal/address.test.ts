/** What the stack's functions may dial. */
import { describe, expect, it } from 'vitest';
import { isPrivateAddress, mayDial, nothingNamed, parseReachable } from '../../src/renewal/address.ts';

const inside = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '169.254.170.2',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '192.0.2.7',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '168.63.129.16',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:169.254.169.254',
  '::ffff:a00:1',
  '::127.0.0.1',
  '64:ff9b::10.0.0.1',
  '64:ff9b::a9fe:a9fe',
  'fe80::1',
  'fe80::1%eth0',
  'fc00::1',
  'fd00:ec2::254',
  'ff02::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2001::1',
];
const outside = [
  '1.1.1.1',
  '93.184.216.34',
  '172.15.255.255',
  '172.32.0.0',
  '100.63.255.255',
  '2606:4700::1111',
  '::ffff:1.1.1.1',
  '64:ff9b::1.1.1.1',
];

describe('an address', () => {
  it.each(inside)('%s is dialled only when it was named', (address) => {
    expect(isPrivateAddress(address)).toBe(true);
    expect(mayDial(nothingNamed, 'a.example', address)).toBe(false);
  });
  it.each(outside)('%s is dialled', (address) => {
    expect(isPrivateAddress(address)).toBe(false);
    expect(mayDial(nothingNamed, 'a.example', address)).toBe(true);
  });
  it.each(['', 'localhost', '1.2.3', '127.1', '0x7f000001'])('%j is none', (text) => {
    expect(() => isPrivateAddress(text)).toThrow();
  });
});

describe('what was named at deployment', () => {
  const named = parseReachable('db.internal, 10.0.0.0/8 ,192.168.1.7,fd00::/8, ::1');
  it('is dialled: an address, what a network contains, and what a host resolves to', () => {
    expect(mayDial(named, 'x.example', '10.9.9.9')).toBe(true);
    expect(mayDial(named, 'x.example', '::ffff:10.9.9.9')).toBe(true);
    expect(mayDial(named, 'x.example', '192.168.1.7')).toBe(true);
    expect(mayDial(named, 'x.example', 'fd12::1')).toBe(true);
    expect(mayDial(named, 'x.example', '::1')).toBe(true);
    expect(mayDial(named, 'db.internal', '172.16.0.9')).toBe(true);
  });
  it('and nothing besides', () => {
    expect(mayDial(named, 'x.example', '192.168.1.8')).toBe(false);
    expect(mayDial(named, 'x.example', '127.0.0.1')).toBe(false);
    expect(mayDial(named, 'not.db.internal', '172.16.0.9')).toBe(false);
  });
  it('reaches where credentials are handed out only by that very address', () => {
    expect(mayDial(named, 'x.example', 'fd00:ec2::254')).toBe(false);
    expect(mayDial(named, 'db.internal', '169.254.169.254')).toBe(false);
    expect(mayDial(parseReachable('169.254.0.0/16'), 'x', '169.254.169.254')).toBe(false);
    expect(mayDial(parseReachable('169.254.0.0/16'), 'x', '169.254.1.1')).toBe(true);
    expect(mayDial(parseReachable('169.254.169.254'), 'x', '::ffff:169.254.169.254')).toBe(true);
  });
  it.each(['10.0.0.0/33', 'fd00::/129', '10.0.0.0/', 'a.example/8', 'Not A Host', '10.0.0/8', '*.example.com'])(
    'may not be %j',
    (text) => {
      expect(() => parseReachable(text)).toThrow(text);
    },
  );
});
