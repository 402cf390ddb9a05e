/** `everleaf certificate …`: what principals prove themselves with. */
import type { Command } from 'commander';
import { certificateSchema, certificatesSchema, describeCertificate, revokedSchema } from './certificate-answers.ts';
import { type IssueOptions, issueCertificate } from './certificate-issue.ts';
import { type RenewOptions, renewCertificate } from './certificate-renew.ts';
import { Misuse } from './failure.ts';
import { readCount } from './options.ts';
import { checkPrincipalId } from './principal.ts';
import { json, lines } from './print.ts';
import { connect, readPages } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

const base = ['api', 'v1', 'certificates'] as const;

/** As this product prints it, or as openssl does: upper case, with colons, with a leading zero. @throws Misuse */
const checkSerial = (text: string): string => {
  const serial = text.replaceAll(':', '').toLowerCase();
  if (!/^[0-9a-f]{1,40}$/.test(serial)) throw new Misuse(`serial-number: ${JSON.stringify(text)} must be hexadecimal`);
  const even = serial.length % 2 === 0 ? serial : `0${serial}`;
  return even.replace(/^(?:00)+(?=..)/, '');
};

/** Adds the noun and its verbs. */
export const addCertificate = (program: Command, terminal: Terminal): void => {
  const noun = program.command('certificate').description('issue, look at, revoke and renew certificates');

  noun
    .command('issue <principal-id>')
    .description('get a certificate for a CSR, or for a key made here')
    .option('--csr <file>', 'the PEM certificate signing request')
    .option('--key-out <file>', 'make a P-256 key, write it there (readable by you only) and ask for its certificate')
    .option('--cert-out <file>', 'where to write the certificate; standard output when not given')
    .option('--lifetime-days <days>', 'how long it lasts, 1 to 397; 90 when not given', readCount)
    .action(async (id: string, _own: unknown, command: Command) =>
      issueCertificate(terminal, checkPrincipalId(id), command.optsWithGlobals<IssueOptions>()),
    );

  noun
    .command('get <serial-number>')
    .description('show a certificate')
    .action(async (serial: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = [...base, checkSerial(serial)];
      const server = await connect(terminal, options);
      const certificate = await server.send(certificateSchema, { method: 'GET', path });
      terminal.out(options.output === 'json' ? json(certificate) : describeCertificate(certificate, true));
    });

  noun
    .command('list [principal-id]')
    .description("list a principal's certificates, or what expires soon")
    .option('--expiring-within <time>', 'only what expires within this time, such as 30d or 12h')
    .option('--status <status>', 'only these: active, revoked, expired')
    .option('--limit <count>', 'at most so many', readCount)
    .action(async (id: string | undefined, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<
        ServerOptions & { expiringWithin?: string; status?: string; limit?: number }
      >();
      const { expiringWithin, status, limit = Number.POSITIVE_INFINITY } = options;
      if (id === undefined && expiringWithin === undefined)
        throw new Misuse('principal-id: name a principal, or give --expiring-within');
      const query = {
        principal_id: id === undefined ? undefined : checkPrincipalId(id),
        expiring_within: expiringWithin,
        status,
      };
      const server = await connect(terminal, options);
      const certificates = await readPages(server, certificatesSchema, { path: base, query, most: limit });
      if (certificates.length === 0 && options.output !== 'json') terminal.err('No certificates.\n');
      terminal.out(
        options.output === 'json'
          ? json({ certificates })
          : certificates.map((one) => describeCertificate(one, id === undefined)).join('\n'),
      );
    });

  noun
    .command('revoke <serial-number>')
    .description('let this certificate in no more; for key_compromise also what was made with or renewed from its key')
    .requiredOption('--reason <reason>', 'key_compromise, superseded, cessation_of_operation, affiliation_changed, …')
    .option('--force', "revoke the last usable admin's last certificate, too")
    .action(async (serial: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions & { reason: string; force?: true }>();
      const path = [...base, checkSerial(serial), 'revoke'];
      const body = { reason: options.reason, ...(options.force ? { force: true } : {}) };
      const server = await connect(terminal, options);
      const revoked = await server.send(revokedSchema, { method: 'POST', path, body });
      const also = lines(revoked.also_revoked.map((other) => ['Also Revoked', other]));
      terminal.out(options.output === 'json' ? json(revoked) : describeCertificate(revoked, false) + also);
    });

  noun
    .command('renew')
    .description('renew the certificate given as --client-cert, in its place; the old one is kept as .prev')
    .option('--new-key', 'make a new key, too, and replace --client-key')
    .option('--force', 'renew before the renewal window opens (operators and admins)')
    .addHelpText(
      'after',
      `
With --new-key two files change. At each instant either they, or their .prev copies, are a matching pair; after a crash
between the two the new certificate stands beside as .next, and the next command that uses the pair puts it in place.`,
    )
    .action(async (_own: unknown, command: Command) =>
      renewCertificate(terminal, command.optsWithGlobals<RenewOptions>()),
    );
};
