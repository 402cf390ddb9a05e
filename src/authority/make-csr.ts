/** New keys, and certificate signing requests (RFC 2986) for them. */
import { createPublicKey, generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto';
import { InvalidInput } from '../errors.ts';

/** A new P-256 private key. */
export const makeKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;

/** PKCS#8 PEM; with a passphrase encrypted with AES-256-CBC and PBKDF2. */
export const writeKey = (key: KeyObject, passphrase?: string): string =>
  key
    .export({
      type: 'pkcs8',
      format: 'pem',
      ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
    })
    .toString();

/** What signs with a key of this kind, in WebCrypto's words. @throws InvalidInput for a kind that no authority of ours takes. */
const algorithmOf = (key: KeyObject) => {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === 'ec' && curve === 'prime256v1')
    return { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  if (key.asymmetricKeyType === 'ec' && curve === 'secp384r1')
    return { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  throw new InvalidInput('key', 'only P-256, P-384 and RSA keys can ask for a certificate; make a new key');
};

/** A PEM request that proves possession of the key and asks for nothing else: the authority decides subject and names. */
export const makeCsr = async (key: KeyObject): Promise<string> => {
  const signingAlgorithm = algorithmOf(key);
  // Only here: the library takes longer to load than most commands take.
  await import('reflect-metadata');
  const { Pkcs10CertificateRequestGenerator } = await import('@peculiar/x509');
  const { subtle } = webcrypto;
  const privateDer = key.export({ type: 'pkcs8', format: 'der' });
  const publicDer = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const keys = {
    privateKey: await subtle.importKey('pkcs8', privateDer, signingAlgorithm, false, ['sign']),
    publicKey: await subtle.importKey('spki', publicDer, signingAlgorithm, true, ['verify']),
  };
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm }, webcrypto);
  return `${request.toString('pem')}\n`;
};
