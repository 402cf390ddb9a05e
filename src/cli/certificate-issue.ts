/** `everleaf certificate issue`: a certificate for a CSR from a file, or for a key that never leaves this machine. */
import type { KeyObject } from 'node:crypto';
import { makeCsr, makeKey, writeKey } from '../authority/make-csr.ts';
import { issuedSchema } from './certificate-answers.ts';
import { Misuse } from './failure.ts';
import {
  checkWritable,
  expandHome,
  privateMode,
  publicMode,
  readIfThere,
  readOurs,
  readText,
  replaceFile,
  writeAtomically,
} from './files.ts';
import { readKey } from './pair.ts';
import { date, json, lines } from './print.ts';
import { connect } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

export type IssueOptions = ServerOptions & {
  readonly csr?: string;
  readonly keyOut?: string;
  readonly certOut?: string;
  readonly lifetimeDays?: number;
};

/** A new key in the file; the key that an earlier run left there without its certificate. @throws Misuse for any other file. */
const keyIn = (terminal: Terminal, file: string, certificate: string | undefined): KeyObject => {
  const existing = readOurs(file, '--key-out', privateMode);
  if (existing === null) {
    const key = makeKey();
    writeAtomically(file, writeKey(key), privateMode);
    return key;
  }
  const key = readKey(existing);
  if (key === null || certificate === undefined || readIfThere(certificate, '--cert-out') !== null)
    throw new Misuse(`--key-out: ${file} exists; name another file`);
  terminal.err(`using the key in ${file}, which has no certificate yet\n`);
  return key;
};

/** @throws Misuse naming the option; Refused. */
export const issueCertificate = async (
  terminal: Terminal,
  principal_id: string,
  options: IssueOptions,
): Promise<void> => {
  const path = (given: string | undefined) => (given === undefined ? undefined : expandHome(given, terminal.home));
  const [csrFile, keyFile, certFile] = [path(options.csr), path(options.keyOut), path(options.certOut)];
  if ((csrFile === undefined) === (keyFile === undefined)) throw new Misuse('--csr: give either --csr or --key-out');
  const request = csrFile === undefined ? null : readText(csrFile, '--csr');
  if (certFile !== undefined) checkWritable(certFile, '--cert-out');
  if (keyFile !== undefined) checkWritable(keyFile, '--key-out');
  const server = await connect(terminal, options);
  const csr = request ?? (await makeCsr(keyIn(terminal, keyFile ?? '', certFile)));
  const { lifetimeDays } = options;
  const issued = await server.send(issuedSchema, {
    method: 'POST',
    path: ['api', 'v1', 'certificates'],
    body: { principal_id, csr, ...(lifetimeDays === undefined ? {} : { lifetime_days: lifetimeDays }) },
  });
  if (certFile !== undefined) replaceFile(certFile, issued.pem, publicMode);
  if (options.output === 'json') terminal.out(json(issued));
  else if (certFile === undefined) terminal.out(issued.pem);
  else
    terminal.out(
      lines([
        ['Serial', issued.serial_number],
        ['Expires', date(issued.expires_at)],
        ['Certificate', certFile],
        ['Key', keyFile],
      ]),
    );
};
