/** Issuing, whoever asked for it: check, sign, then one transaction on which the certificate's use hangs. */
import { X509Certificate } from 'node:crypto';
import type { Caller } from '../access/caller.ts';
import { callerCertificateStands, callerIsActive, generationIs } from '../access/caller-stands.ts';
import type { Author } from '../audit/stamp.ts';
import { type Csr, readCsr } from '../authority/csr.ts';
import { checkRequest } from '../authority/csr-request.ts';
import { clientProfile } from '../authority/profile.ts';
import { sha256 } from '../authority/public-key.ts';
import type { Sign } from '../authority/sign-request.ts';
import type { Change } from '../aws/change.ts';
import { type Step, transact } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { Conflict, NotAllowed } from '../errors.ts';
import { findPrincipal } from '../principal/get-principal.ts';
import type { Principal, PrincipalType } from '../principal/principal.ts';
import type { World } from '../world.ts';
import { type Certificate, type CertificateRow, mayStillBeUsed, standingOf } from './certificate.ts';
import { expiryBucket } from './expiry.ts';
import { findCertificates } from './find-certificates.ts';
import { type Generation, readGeneration } from './generation.ts';
import { checkKnownKey, claimKey, keyStands } from './known-key.ts';
import { backdate_ms, validityFrom } from './lifetime.ts';
import { newSerial } from './serial.ts';

export interface IssuingWorld extends World {
  readonly sign: Sign;
}

export interface Issued {
  readonly serial_number: string;
  readonly pem: string;
  /** The certificates above it, PEM. */
  readonly chain: string;
  /** Milliseconds since the epoch. */
  readonly expires_at: number;
}

/** How many certificates of one principal may be live at once. */
export const mostLive = 5;

export interface Order {
  readonly principal_id: string;
  readonly csr: string;
  readonly lifetime_ms: number;
  /** null: `bootstrap`, which AWS itself let in. */
  readonly caller: Caller | null;
  /** The serial of the caller's certificate, when this renews it. */
  readonly renewed_from?: string;
  /** `function:…`, for what AWS let in. */
  readonly author: Author;
  readonly action: 'certificate_issued' | 'certificate_renewed';
  /** Refuses the subject as it is read, or admits it. */
  readonly admit: (subject: Principal | null) => Admitted;
}

export interface Admitted {
  readonly type: PrincipalType;
  /** Writes the subject's row on condition that it is still the one read, and what belongs to it. */
  readonly write: (serials: Serials, issued: Issued) => readonly Step[] | Promise<readonly Step[]>;
}

export interface Serials {
  readonly live_serials: readonly string[];
  readonly certificates_version: number;
}

interface Draft {
  readonly row: CertificateRow;
  readonly chain: string;
}

/**
 * The certificate leaves only after its row was written, on condition that the generation is the gate's, that subject
 * and caller are active and the caller's certificate unrevoked, and that nothing was issued to the subject or revoked
 * from it meanwhile: that is read afresh and tried again, with the certificate already signed.
 * @throws InvalidInput on `csr`; NotAllowed, NotFound, Conflict, Unavailable
 */
export const issue = async (world: IssuingWorld, order: Order): Promise<Issued> => {
  const csr = readCsr(order.csr);
  let draft: Draft | undefined;
  let generation = order.caller?.generation;
  return untilSettled(world, async () => {
    const [subject, current, keyRow] = await Promise.all([
      findPrincipal(world, order.principal_id),
      readGeneration(world),
      checkKnownKey(world, csr.key.public_key_sha256, order.principal_id),
    ]);
    // An answer was lost, but what it said was done.
    if (draft !== undefined && subject?.live_serials.includes(draft.row.serial_number)) return issued(draft);
    const { type, write } = order.admit(subject);
    generation ??= current.generation;
    if (generation !== current.generation) throw new NotAllowed('an emergency began meanwhile; try again');
    const recorded = await findCertificates(world, subject?.live_serials ?? []);
    // The caller's own is checked as the caller's.
    const keySteps = keyStands(
      world,
      recorded.filter(
        (row) =>
          row.public_key_sha256 === csr.key.public_key_sha256 && row.serial_number !== order.caller?.serial_number,
      ),
    );
    const held = recorded.filter((row) => mayStillBeUsed(row, world.now()));
    refuseTooMany(held, current, world.now());
    draft ??= await sign(world, order, csr, type, generation);
    // Those that are or may again become usable.
    const serials: Serials = {
      live_serials: [...held.map(({ serial_number }) => serial_number), draft.row.serial_number],
      certificates_version: (subject?.certificates_version ?? 0) + 1,
    };
    const steps: Step[] = [
      ...(await write(serials, issued(draft))),
      generationIs(world, generation),
      ...callerSteps(world, order),
      claimKey(world, keyRow, { public_key_sha256: csr.key.public_key_sha256, principal_id: order.principal_id }),
      ...keySteps,
      createCertificate(draft.row, order.action),
    ];
    return (await transact(world, order.author, steps)) === 'again' ? 'again' : issued(draft);
  });
};

const issued = ({ row: { serial_number, pem, expires_at }, chain }: Draft): Issued => ({
  serial_number,
  pem,
  chain,
  expires_at,
});

const refuseTooMany = (held: readonly Certificate[], current: Generation, now: number): void => {
  const live = held.filter((row) => standingOf(row, current, now).status === 'active');
  if (live.length >= mostLive)
    throw new Conflict(`the principal has ${mostLive} live certificates already; revoke one first`);
};

const sign = async (
  world: IssuingWorld,
  order: Order,
  csr: Csr,
  principal_type: PrincipalType,
  generation: number,
): Promise<Draft> => {
  const { principal_id } = order;
  checkRequest(csr, clientProfile(world.deployment, { principal_id, principal_type }));
  const { issued_at, expires_at: not_after_ms } = validityFrom(world.now(), order.lifetime_ms);
  const serial_number = newSerial(issued_at, world.randomBytes);
  const { pem, chain, authority } = await world.sign({
    profile: 'client',
    csr: order.csr,
    serial_number,
    principal_id,
    principal_type,
    not_before_ms: issued_at - backdate_ms,
    not_after_ms,
  });
  const certificate = new X509Certificate(pem);
  const expires_at = Date.parse(certificate.validTo);
  const row: CertificateRow = {
    serial_number,
    principal_id,
    issued_at,
    expires_at,
    revoked: false,
    fingerprint: sha256(certificate.raw),
    public_key_sha256: csr.key.public_key_sha256,
    generation,
    ...(order.renewed_from === undefined ? {} : { renewed_from: order.renewed_from }),
    subject: certificate.subject,
    sans: (certificate.subjectAltName ?? '').split(', '),
    authority,
    pem,
    expiry_bucket: expiryBucket(expires_at, serial_number),
  };
  return { row, chain };
};

const callerSteps = (world: World, { caller, principal_id }: Order): Step[] =>
  caller === null
    ? []
    : [
        callerCertificateStands(world, caller),
        ...(caller.principal_id === principal_id ? [] : [callerIsActive(world, caller)]),
      ];

const createCertificate = (row: CertificateRow, action: string): Change => ({
  table: 'certificates',
  key: row.serial_number,
  row: undefined,
  action,
  set: { ...row },
});
