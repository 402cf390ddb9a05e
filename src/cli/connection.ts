/** What went wrong between here and the server, in one line that says what to do. */
import { Misuse, Refused } from './failure.ts';
import type { Identity } from './identity.ts';
import { readCertificate } from './pair.ts';
import { clean, date } from './print.ts';
import type { Settings } from './settings.ts';

const certificateRefused =
  /^ERR_SSL_.*ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|CERTIFICATE_UNKNOWN|CERTIFICATE_REQUIRED|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED|HANDSHAKE_FAILURE)$/;

/** Why a server that asks for client certificates does not let ours in, as far as the certificate itself can tell. */
export const explainCertificate = ({ server }: Settings, { files, certificatePem }: Identity): Refused => {
  const certificate = readCertificate(certificatePem);
  const until = Date.parse(certificate?.validTo ?? '');
  if (until <= Date.now())
    return new Refused(`the client certificate ${files.cert} expired on ${date(until)}; have another one issued`);
  const from = Date.parse(certificate?.validFrom ?? '');
  if (from > Date.now())
    return new Refused(
      `the client certificate ${files.cert} is not valid before ${date(from)}; is this machine's clock right?`,
    );
  const issuer = clean((certificate?.issuer ?? '').replaceAll('\n', ', '));
  return new Refused(
    `${server.origin} does not trust the CA of ${files.cert} (issuer ${issuer}), or refuses it at TLS`,
  );
};

/** The failure that an error of node:https stands for. */
export const explainConnection = (error: unknown, settings: Settings, identity: Identity): Misuse | Refused => {
  const { server, cacert, clientCert } = settings;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const name = error instanceof Error ? error.name : '';
  const detail = error instanceof Error ? error.message : String(error);
  const cannot = `cannot reach ${server.origin}`;
  if (name === 'AbortError' || name === 'TimeoutError' || code === 'ETIMEDOUT' || code === 'ABORT_ERR')
    return new Refused(`${cannot}: no answer in time; check the address and the network, then try again`);
  switch (code) {
    case 'ECONNREFUSED':
      return new Refused(`${cannot}: connection refused; check --server, and that the server is up`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new Refused(`${cannot}: there is no host of that name; check --server and DNS`);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return new Refused(`${cannot}: the network does not reach it`);
    case 'ECONNRESET':
    case 'EPIPE':
      return new Refused(
        `${cannot}: it closed the connection; is ${clientCert} expired or from a CA that it does not trust?`,
      );
    case 'CERT_HAS_EXPIRED':
      return new Refused(`${cannot}: its certificate has expired`);
    case 'CERT_NOT_YET_VALID':
      return new Refused(`${cannot}: its certificate is not yet valid; is this machine's clock right?`);
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return new Refused(`${cannot}: its certificate is for another name; check --server`);
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_SIGNATURE_FAILURE':
      return new Refused(
        `${cannot}: its certificate is not from ${cacert === null ? 'a public CA' : `a CA in ${cacert}`}; give the ca-cert.pem that bootstrap wrote as --cacert`,
      );
    default:
  }
  if (certificateRefused.test(code)) return explainCertificate(settings, identity);
  if (code.startsWith('ERR_OSSL_PEM') || code.startsWith('ERR_OSSL_X509'))
    return new Misuse(`--cacert: ${cacert ?? ''} is not a bundle of certificates in PEM form`);
  return new Refused(`${cannot}: ${detail.split('\n')[0]}`);
};
