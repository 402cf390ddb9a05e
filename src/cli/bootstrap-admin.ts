/** An admin's key, made here, and its certificate: complete or repeatable wherever it stops. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { makeCsr, makeKey, writeKey } from '../authority/make-csr.ts';
import { Misuse, Refused } from './failure.ts';
import { privateMode, publicMode, readIfThere, readOurs, writeAtomically } from './files.ts';
import {
  belongTogether,
  finishEarlierSwap,
  installPair,
  isEncrypted,
  nextOf,
  type PairFiles,
  readKey,
} from './pair.ts';
import type { Terminal } from './terminal.ts';

export interface AdminFiles extends PairFiles {
  readonly principal_id: 'admin-bootstrap' | 'admin-emergency';
  /** Whether the key is encrypted to a passphrase. */
  readonly sealed: boolean;
}

export const adminFiles = (folder: string): readonly AdminFiles[] => [
  {
    principal_id: 'admin-bootstrap',
    cert: join(folder, 'admin-cert.pem'),
    key: join(folder, 'admin-key.pem'),
    sealed: false,
  },
  {
    principal_id: 'admin-emergency',
    cert: join(folder, 'admin-emergency-cert.pem'),
    key: join(folder, 'admin-emergency-key.pem'),
    sealed: true,
  },
];

/** A key without its certificate: an earlier run stopped in between. */
export const isHalfDone = ({ cert, key }: PairFiles): boolean =>
  readIfThere(key, '--output-dir') !== null && readIfThere(cert, '--output-dir') === null;

/**
 * The key to ask a certificate for. First time: in its place. Beside an existing pair: as `.next`. One that an earlier
 * run left without its certificate is used again, if nobody else can have put it there.
 */
const prepareKey = (
  terminal: Terminal,
  files: AdminFiles,
  passphrase: string | undefined,
): { key: KeyObject; pem: string; replaces: boolean } => {
  const replaces = readIfThere(files.key, '--output-dir') !== null && !isHalfDone(files);
  const file = replaces ? nextOf(files.key) : files.key;
  const left = readOurs(file, '--output-dir', privateMode);
  if (left !== null) {
    const key = isEncrypted(left) === files.sealed ? readKey(left, passphrase) : null;
    if (key !== null) {
      terminal.err(`using the key in ${file}, which has no certificate yet\n`);
      return { key, pem: left, replaces };
    }
    if (!replaces)
      throw new Misuse(
        files.sealed
          ? `--passphrase-file: ${file} is left from an earlier run and sealed with another passphrase; use that one, or move the file away`
          : `--output-dir: ${file} holds no usable key; move it away`,
      );
  }
  const pem = writeKey(makeKey(), files.sealed ? passphrase : undefined);
  writeAtomically(file, pem, privateMode);
  return { key: createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) }), pem, replaces };
};

/** Makes the key, has the certificate issued, writes both. `issue` hands a CSR in and gets the certificate. */
export const bootstrapAdmin = async (
  terminal: Terminal,
  files: AdminFiles,
  passphrase: string | undefined,
  issue: (principal_id: string, csr: string) => Promise<{ pem: string }>,
): Promise<void> => {
  finishEarlierSwap(files, passphrase);
  const { key, pem, replaces } = prepareKey(terminal, files, passphrase);
  const certificate = (await issue(files.principal_id, await makeCsr(key))).pem;
  if (!belongTogether(certificate, key))
    throw new Refused(`the certificate issued for ${files.principal_id} is of another key; nothing was replaced`);
  if (replaces) installPair(files, certificate, pem);
  else writeAtomically(files.cert, certificate, publicMode);
};
