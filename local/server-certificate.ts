/** The certificate that the domain serves locally, from an authority of its own: on AWS a public one does this. */
// @peculiar/x509 needs it before itself.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

export interface ServerCertificate {
  readonly certificate: string;
  /** The authority's certificate. */
  readonly chain: string;
  readonly key: string;
  readonly keyFile: string;
  readonly chainFile: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const oneYear = 365 * 24 * 3600 * 1000;

/** Made once for a folder and a domain; names the domain, localhost and 127.0.0.1. */
export const serverCertificate = async (folder: string, domain: string): Promise<ServerCertificate> => {
  const file = (name: string) => join(folder, name);
  const keyFile = file(`${domain}.key`);
  const chainFile = file(`${domain}.ca.pem`);
  if (!existsSync(keyFile)) await make(folder, domain);
  return {
    certificate: readFileSync(file(`${domain}.pem`), 'utf8'),
    chain: readFileSync(chainFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
    keyFile,
    chainFile,
  };
};

const make = async (folder: string, domain: string): Promise<void> => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const notBefore = new Date(Date.now() - 60_000);
  const notAfter = new Date(Date.now() + oneYear);
  const authorityKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const name = `CN=Everleaf local web authority ${domain}`;
  const authority = await X509CertificateGenerator.createSelfSigned(
    {
      name,
      notBefore,
      notAfter,
      signingAlgorithm: algorithm,
      keys: authorityKeys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    },
    webcrypto,
  );
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const leaf = await X509CertificateGenerator.create(
    {
      subject: `CN=${domain}`,
      issuer: name,
      notBefore,
      notAfter,
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: authorityKeys.privateKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([
          { type: 'dns', value: domain },
          { type: 'dns', value: 'localhost' },
          { type: 'ip', value: '127.0.0.1' },
        ]),
      ],
    },
    webcrypto,
  );
  const pkcs8 = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  writeFileSync(join(folder, `${domain}.pem`), `${leaf.toString('pem')}\n`);
  writeFileSync(join(folder, `${domain}.ca.pem`), `${authority.toString('pem')}\n`);
  // Last: where the key is, all is.
  writeFileSync(join(folder, `${domain}.key`), `${pkcs8}\n`, { mode: 0o600 });
};
