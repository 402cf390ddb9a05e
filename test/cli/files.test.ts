/** Files in folders that others may write: nothing of theirs is believed, nothing of ours shown or written elsewhere. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepPrevious, makePrivateFolder, privateMode, readOurs, writeAtomically } from '../../src/cli/files.ts';
import { openSession, type Session } from './session.ts';

let session: Session;
let folder: string;
beforeEach(() => {
  session = openSession();
  folder = session.file('keys');
  mkdirSync(folder);
});
afterEach(() => {
  vi.restoreAllMocks();
  session.close();
});

const file = (name: string) => join(folder, name);
const modeOf = (name: string) => statSync(file(name)).mode & 0o777;
const asAnotherUser = () => vi.spyOn(process, 'getuid').mockReturnValue(statSync(folder).uid + 1);

describe('a key', () => {
  it('is for its owner alone whatever the umask, and leaves nothing else behind', () => {
    const before = process.umask(0);
    try {
      writeAtomically(file('key.pem'), 'key', privateMode);
    } finally {
      process.umask(before);
    }
    expect([readdirSync(folder), modeOf('key.pem')]).toEqual([['key.pem'], 0o600]);
  });
  it('is not written through a name that somebody took beforehand', () => {
    writeFileSync(file('victim'), 'precious');
    symlinkSync(file('victim'), file(`.key.pem.${process.pid}.tmp`));
    symlinkSync(file('victim'), file('key.pem'));
    writeAtomically(file('key.pem'), 'key', privateMode);
    expect([readFileSync(file('victim'), 'utf8'), readFileSync(file('key.pem'), 'utf8')]).toEqual(['precious', 'key']);
    expect(modeOf('key.pem')).toBe(0o600);
  });
  it.each([0o640, 0o620, 0o604, 0o602])('left with mode %o is not used, and the cure is named', (mode) => {
    writeFileSync(file('key.pem'), 'key');
    chmodSync(file('key.pem'), mode);
    expect(() => readOurs(file('key.pem'), '--key-out', privateMode)).toThrow(`chmod 600 ${file('key.pem')}`);
    chmodSync(file('key.pem'), 0o600);
    expect(readOurs(file('key.pem'), '--key-out', privateMode)).toBe('key');
  });
  it('of another user, or behind a symbolic link, is not used', () => {
    writeAtomically(file('key.pem'), 'key', privateMode);
    symlinkSync(file('key.pem'), file('link.pem'));
    expect(() => readOurs(file('link.pem'), '--key-out', privateMode)).toThrow('it is a symbolic link');
    asAnotherUser();
    expect(() => readOurs(file('key.pem'), '--key-out', privateMode)).toThrow('belongs to another user');
  });
  it('that took a certificate’s place is not shown to others as its .prev', () => {
    writeAtomically(file('cert.pem'), 'a key, moved here', privateMode);
    keepPrevious(file('cert.pem'), 0o644);
    expect(modeOf('cert.pem.prev')).toBe(0o600);
    asAnotherUser();
    expect(() => keepPrevious(file('cert.pem'), 0o644)).toThrow('belongs to another user');
  });
});

describe('a folder for keys', () => {
  it('is made for its owner alone, and taken as it is when only its owner can write', () => {
    makePrivateFolder(file('made'), '--output-dir');
    expect(modeOf('made')).toBe(0o700);
    chmodSync(folder, 0o755);
    makePrivateFolder(folder, '--output-dir');
    expect(statSync(folder).mode & 0o777).toBe(0o755);
  });
  it.each([0o777, 0o775, 0o757])('with mode %o is refused, and the cure is named', (mode) => {
    chmodSync(folder, mode);
    expect(() => makePrivateFolder(folder, '--output-dir')).toThrow(`chmod go-w ${folder}`);
  });
  it('may be one like /tmp, where nobody renames what is not his', () => {
    chmodSync(folder, 0o1777);
    expect(() => makePrivateFolder(folder, '--output-dir')).not.toThrow();
  });
  it('may be root’s, but no other user’s', () => {
    const { uid } = statSync(folder);
    asAnotherUser();
    if (uid === 0) expect(() => makePrivateFolder(folder, '--output-dir')).not.toThrow();
    else expect(() => makePrivateFolder(folder, '--output-dir')).toThrow('belongs to another user');
  });
});
