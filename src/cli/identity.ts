/** The client certificate and key that a command presents: read, checked to belong together, unlocked where encrypted. */
import type { KeyObject } from 'node:crypto';
import { Misuse } from './failure.ts';
import { readText } from './files.ts';
import { belongTogether, finishSwap, isEncrypted, type PairFiles, readCertificate, readKey } from './pair.ts';
import { askPassphrase } from './passphrase.ts';
import type { Terminal } from './terminal.ts';

export interface Identity {
  readonly files: PairFiles;
  readonly certificatePem: string;
  readonly key: KeyObject;
}

/** Unlocks a key. @throws Misuse naming the option, when it is none or the passphrase is wrong. */
export const unlockKey = async (
  terminal: Terminal,
  pem: string,
  { file, option, passphraseFile }: { file: string; option: string; passphraseFile?: string | undefined },
): Promise<KeyObject> => {
  if (!isEncrypted(pem)) {
    const key = readKey(pem);
    if (key === null) throw new Misuse(`${option}: ${file} holds no private key in PEM form`);
    return key;
  }
  const key = readKey(pem, await askPassphrase(terminal, passphraseFile, file));
  if (key === null) throw new Misuse(`--passphrase-file: that is not the passphrase of ${file}`);
  return key;
};

/** Reads the pair; finishes a renewal that a crash interrupted between its two files. @throws Misuse naming the option. */
export const readIdentity = async (
  terminal: Terminal,
  files: PairFiles,
  passphraseFile: string | undefined,
): Promise<Identity> => {
  const keyPem = readText(files.key, '--client-key');
  const option = '--client-key';
  const key = await unlockKey(terminal, keyPem, { file: files.key, option, passphraseFile });
  if (finishSwap(files, key)) terminal.err(`finished an interrupted renewal of ${files.cert}\n`);
  const certificatePem = readText(files.cert, '--client-cert');
  if (readCertificate(certificatePem) === null)
    throw new Misuse(`--client-cert: ${files.cert} holds no certificate in PEM form`);
  if (!belongTogether(certificatePem, key))
    throw new Misuse(`--client-key: ${files.key} is not the key of the certificate ${files.cert}`);
  return { files, certificatePem, key };
};
