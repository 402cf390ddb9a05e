/**
 * An endpoint's folder: `versions/<fingerprint>/{key,cert,chain,fullchain}.pem`, and the symbolic links `current` and
 * `previous` to one of them each. A link is replaced by a rename, so key and certificate change in one instant.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Refused } from '../cli/failure.ts';
import { belongTogether, readCertificate, readKey } from '../cli/pair.ts';
import type { Endpoint } from './config.ts';
import { fingerprintOf } from './fingerprint.ts';
import { checkFolder } from './folder.ts';

export interface Version {
  readonly fingerprint: string;
  /** PEM; the files of one version. */
  readonly key: string;
  readonly cert: string;
  readonly chain: string;
}

type Link = 'current' | 'previous';
type Place = Pick<Endpoint, 'directory' | 'group_readable' | 'endpoint_id'>;

const target = /^versions\/([0-9a-f]{64})$/;
/** What is being made; nothing refers to it yet. */
const unfinished = /^\.(?:current|previous|[0-9a-f]{64})\.[0-9a-f]{16}\.tmp$/;
const beside = (name: string): string => `.${name}.${randomBytes(8).toString('hex')}.tmp`;

const folderMode = ({ group_readable }: Place): number => (group_readable ? 0o750 : 0o700);
const fileMode = ({ group_readable }: Place): number => (group_readable ? 0o640 : 0o600);

export const versionFolder = ({ directory }: Place, fingerprint: string): string =>
  join(directory, 'versions', fingerprint);

/** Opens a file or folder, does something with it, and flushes it to disk. */
const flushed = (path: string, flags: string, use: (handle: number) => void): void => {
  const handle = openSync(path, flags, 0o600);
  try {
    use(handle);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
};

/** Clears away what was cut off when it was made. */
export const sweepFolder = ({ directory }: Place): void => {
  for (const folder of [directory, join(directory, 'versions')])
    for (const name of existsSync(folder) ? readdirSync(folder) : [])
      if (unfinished.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
};

/** Makes the folders where they are missing. @throws Misuse for wider permissions */
export const prepareFolder = (place: Place): void => {
  const mode = folderMode(place);
  const versions = join(place.directory, 'versions');
  if (!existsSync(place.directory)) {
    mkdirSync(place.directory, { recursive: true, mode: 0o700 });
    chmodSync(place.directory, mode);
  }
  const { gid } = checkFolder(place.directory, mode, `endpoint ${place.endpoint_id}`);
  if (!existsSync(versions)) {
    mkdirSync(versions, { mode: 0o700 });
    flushed(versions, 'r', (handle) => open(handle, place, mode, gid));
    flushed(place.directory, 'r', () => undefined);
  }
  checkFolder(versions, mode, `endpoint ${place.endpoint_id}`);
  sweepFolder(place);
};

/** The mode, whatever the umask; and where the group may read, its folder's group. */
const open = (handle: number, { group_readable }: Place, mode: number, gid: number): void => {
  if (group_readable) fchownSync(handle, -1, gid);
  fchmodSync(handle, mode);
};

/** Whether the version stands there complete: a certificate of that fingerprint, and its key. */
export const isWhole = (place: Place, fingerprint: string): boolean => {
  const folder = versionFolder(place, fingerprint);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  try {
    const key = readKey(read('key.pem'));
    const [cert, fullchain] = [read('cert.pem'), read('fullchain.pem')];
    return (
      fingerprintOf(cert) === fingerprint &&
      fullchain === cert + read('chain.pem') &&
      key !== null &&
      belongTogether(cert, key)
    );
  } catch {
    return false;
  }
};

/** Puts a version on disk beside the others; whole or not at all. @throws what the disk says, with nothing changed */
export const writeVersion = (place: Place, { fingerprint, key, cert, chain }: Version): void => {
  const folder = versionFolder(place, fingerprint);
  if (isWhole(place, fingerprint)) {
    checkVersion(place, fingerprint);
    if (readFileSync(join(folder, 'chain.pem'), 'utf8') === chain) return;
    if (readLink(place, 'current') === fingerprint || readLink(place, 'previous') === fingerprint)
      throw new Refused(`${fingerprint} is in place already, with another chain`);
  }
  const versions = join(place.directory, 'versions');
  const { gid } = checkFolder(place.directory, folderMode(place), `endpoint ${place.endpoint_id}`);
  const making = join(versions, beside(fingerprint));
  const contents = { 'key.pem': key, 'cert.pem': cert, 'chain.pem': chain, 'fullchain.pem': cert + chain };
  try {
    mkdirSync(making, { mode: 0o700 });
    for (const [name, content] of Object.entries(contents))
      flushed(join(making, name), 'wx', (handle) => {
        open(handle, place, fileMode(place), gid);
        writeFileSync(handle, content);
      });
    flushed(making, 'r', (handle) => open(handle, place, folderMode(place), gid));
    // Of the same fingerprint, and not whole or not in place: nobody can be using it.
    rmSync(folder, { recursive: true, force: true });
    renameSync(making, folder);
    flushed(versions, 'r', () => undefined);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error;
  }
};

/** @throws Misuse where others may read what its owner alone should */
const checkVersion = (place: Place, fingerprint: string): void => {
  const folder = versionFolder(place, fingerprint);
  checkFolder(folder, folderMode(place), `endpoint ${place.endpoint_id}`);
  for (const name of readdirSync(folder)) {
    const { mode } = lstatSync(join(folder, name));
    if (process.getuid !== undefined && (mode & 0o777 & ~fileMode(place)) !== 0)
      throw new Refused(`${join(folder, name)} is open to others; chmod ${fileMode(place).toString(8)} it`);
  }
};

/** The version that a link leads to; null: there is no such link. @throws Refused for anything else in its place */
export const readLink = ({ directory }: Place, link: Link): string | null => {
  const path = join(directory, link);
  let found: string;
  try {
    found = readlinkSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new Refused(`${path} is not a link of the agent's; move it away`);
  }
  const [, fingerprint] = target.exec(found) ?? [];
  if (fingerprint === undefined) throw new Refused(`${path} leads to ${found}, which is none of the agent's versions`);
  return fingerprint;
};

/** Has the link lead to another version, or to none, in one instant; on disk when it returns. */
export const point = (place: Place, link: Link, fingerprint: string | null): void => {
  if (readLink(place, link) === fingerprint) return;
  const path = join(place.directory, link);
  if (fingerprint === null) unlinkSync(path);
  else {
    const made = join(place.directory, beside(link));
    symlinkSync(`versions/${fingerprint}`, made);
    renameSync(made, path);
  }
  flushed(place.directory, 'r', () => undefined);
};

/** Removes every version but those two. */
export const pruneVersions = (place: Place): void => {
  const kept = new Set([readLink(place, 'current'), readLink(place, 'previous')]);
  const versions = join(place.directory, 'versions');
  for (const name of readdirSync(versions))
    if (/^[0-9a-f]{64}$/.test(name) && !kept.has(name)) rmSync(join(versions, name), { recursive: true, force: true });
};

export interface Deployed {
  readonly fingerprint: string | null;
  /** ms */
  readonly not_after: number | null;
}

/** What the consumer gets to read now, by the file itself. @throws Refused for a strange link */
export const deployed = (place: Place): Deployed => {
  if (readLink(place, 'current') === null) return { fingerprint: null, not_after: null };
  const pem = readFileSync(join(place.directory, 'current', 'cert.pem'), 'utf8');
  const certificate = readCertificate(pem);
  if (certificate === null) throw new Refused(`${place.directory}/current/cert.pem holds no certificate`);
  return { fingerprint: fingerprintOf(pem), not_after: Date.parse(certificate.validTo) };
};
