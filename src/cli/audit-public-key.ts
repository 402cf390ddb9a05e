/** The public half of a deployment's audit key, as whoever checks a file has it from AWS. */
import { createHash, type KeyObject } from 'node:crypto';
import { headPublicKey } from '../audit/head.ts';
import { Misuse } from './failure.ts';
import { readText } from './files.ts';

const howToGet =
  "aws kms get-public-key --key-id <AuditKeyArn of the stack's outputs> --query PublicKey --output text > audit-key.txt";

/** SHA-256 of the key (DER), hex. */
export const keySha256 = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');

/** PEM, or the Base64 that AWS prints. @throws Misuse naming --public-key */
export const readPublicKey = (file: string | undefined): KeyObject => {
  if (file === undefined)
    throw new Misuse(
      `--public-key is missing: a file is checked with the audit key's public half; get it with: ${howToGet}`,
    );
  const text = readText(file, '--public-key').trim();
  const isBase64 = /^[A-Za-z0-9+/\s]+={0,2}$/.test(text);
  try {
    return headPublicKey(isBase64 ? `-----BEGIN PUBLIC KEY-----\n${text}\n-----END PUBLIC KEY-----\n` : text);
  } catch {
    throw new Misuse(
      `--public-key: ${file} holds no ECDSA key on P-256, as PEM or as AWS prints it; get it with: ${howToGet}`,
    );
  }
};

/** The SHA-256 of the key that a file brings along. */
export const namedKey = (pem: string): string => {
  try {
    return keySha256(headPublicKey(pem));
  } catch {
    return 'unknown';
  }
};
