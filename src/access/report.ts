/** What the gate writes to its log: a line per denial and a sum of successes a minute, in the shape powertools' logger gives the other functions' lines, written by hand because loading that library costs more than a decision. */
import { type Deployment, metricsNamespace } from '../names.ts';
import type { PrincipalType } from '../principal/principal.ts';
import type { PresentedCertificate } from './certificate.ts';
import type { Deny } from './decide.ts';
import { clean } from './reason.ts';

/**
 * What is summed is told by the first request after this many milliseconds, and when this much is counted. Lost are the
 * last sums of an environment that is reaped before it: no timer could tell them, since an environment without a
 * request is frozen.
 */
const period = 60_000;
const most = 1_000;

/** Metrics that a line counts, by name, each with those of the line's fields that are its dimensions. */
type Metrics = Readonly<Record<string, readonly string[]>>;

const outcome: Metrics = { mtls_auth_total: ['result', 'principal_type'] };

export interface Reporter {
  readonly deployment: Deployment;
  /** The function's name in its lines. */
  readonly service: string;
  /** Takes a whole line with its newline. */
  readonly write: (line: string) => void;
}

/** Instants are ms since the epoch. */
export const openReport = ({ deployment, service, write }: Reporter) => {
  /** By principal type, and of certificates: how many, and when the last of them came. */
  const sums = new Map<PrincipalType | 'certificate', { readonly count: number; readonly last: number }>();
  let counted = 0;
  let told = Number.NEGATIVE_INFINITY;

  const directive = ([Name, dimensions]: [string, readonly string[]]) => ({
    Namespace: metricsNamespace(deployment),
    Dimensions: [dimensions],
    Metrics: [{ Name, Unit: 'Count' }],
  });
  /** CloudWatch embedded metric format: the fields that `_aws` names are the metrics, here all of `value`. */
  const line = (level: string, message: string, now: number, fields: object, metrics?: Metrics, value = 1): void => {
    const trace = /Root=([^;]+)/.exec(process.env._X_AMZN_TRACE_ID ?? '')?.[1];
    const text = JSON.stringify({
      level,
      message,
      timestamp: new Date(now).toISOString(),
      service,
      sampling_rate: 0,
      xray_trace_id: trace,
      ...fields,
      ...(metrics && {
        ...Object.fromEntries(Object.keys(metrics).map((name) => [name, value])),
        _aws: { Timestamp: now, CloudWatchMetrics: Object.entries(metrics).map(directive) },
      }),
    });
    write(`${text}\n`);
  };

  /** What a certificate says of itself is the client's word. */
  const identity = (certificate: PresentedCertificate | undefined) => ({
    principal_id: clean(certificate?.commonName ?? '') || 'unknown',
    serial: certificate?.serial_number ?? 'unknown',
  });

  const count = (what: PrincipalType | 'certificate', now: number): void => {
    sums.set(what, { count: (sums.get(what)?.count ?? 0) + 1, last: now });
    counted++;
  };
  /** Writes the sums that are due, each as of the last that it counts, so that none falls into a later minute. */
  const tell = (now: number): void => {
    if (!counted || (now - told < period && counted < most)) return;
    for (const [what, { count: value, last }] of sums)
      if (what === 'certificate')
        line('INFO', 'parsed certificates remembered', last, { type: what }, { mtls_cache_hits: ['type'] }, value);
      else line('INFO', 'authentication successes', last, { result: 'success', principal_type: what }, outcome, value);
    sums.clear();
    counted = 0;
    told = now;
  };

  return {
    /** Before any of the others, of every request: tells what is due. `remembered`: its certificate was parsed before. */
    requested: (remembered: boolean, now: number): void => {
      tell(now);
      if (remembered) count('certificate', now);
    },

    /** Counts; the first after a quiet minute is told at once. */
    allowed: (type: PrincipalType, now: number): void => {
      count(type, now);
      tell(now);
    },

    /** One line. `certificate` is undefined where it could not be read. */
    denied: (certificate: PresentedCertificate | undefined, denial: Deny, now: number): void => {
      const { message, result, principal_type, revocation_reason, foreign } = denial;
      const mark = foreign ? { foreign_certificate: true, fingerprint: certificate?.fingerprint } : {};
      line(
        'WARN',
        `authentication error: ${result === 'revoked' ? 'revoked certificate' : message}`,
        now,
        {
          ...identity(certificate),
          principal_type,
          result,
          revocation_reason,
          answer: message,
          ...mark,
        },
        foreign ? { ...outcome, mtls_foreign_certificate_total: [] } : outcome,
      );
    },

    /** The records could not be read, or not understood. */
    unavailable: (certificate: PresentedCertificate, cause: string, now: number): void => {
      line('ERROR', `authentication unavailable: ${clean(cause)}`, now, identity(certificate));
    },
  };
};
