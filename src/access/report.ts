/** What the gate writes to its log: a line per denial and a sum of successes a minute, in the shape powertools' logger gives the other functions' lines, written by hand because loading that library costs more than a decision. */
import { type Deployment, metricsNamespace } from '../names.ts';
import type { PrincipalType } from '../principal/principal.ts';
import type { PresentedCertificate } from './certificate.ts';
import type { Deny } from './decide.ts';
import { clean } from './reason.ts';

/** Successes are summed for this long; milliseconds. */
const period = 60_000;

/** A metric of value `value` with the line's own fields as dimensions. */
interface Metric {
  readonly name: string;
  readonly value: number;
  readonly dimensions: readonly string[];
}

export interface Reporter {
  readonly deployment: Deployment;
  /** The function's name in its lines. */
  readonly service: string;
  /** Takes a whole line with its newline. */
  readonly write: (line: string) => void;
}

/** Instants are ms since the epoch. */
export const openReport = ({ deployment, service, write }: Reporter) => {
  let successes: Partial<Record<PrincipalType, number>> = {};
  let hits = 0;
  let flushed = Number.NEGATIVE_INFINITY;

  const directive = ({ name, dimensions }: Metric) => ({
    Namespace: metricsNamespace(deployment),
    Dimensions: [dimensions],
    Metrics: [{ Name: name, Unit: 'Count' }],
  });
  /** CloudWatch embedded metric format: the fields that `_aws` names are the metrics and their dimensions. */
  const line = (level: string, message: string, now: number, fields: object, metrics: readonly Metric[] = []): void => {
    const trace = /Root=([^;]+)/.exec(process.env._X_AMZN_TRACE_ID ?? '')?.[1];
    const text = JSON.stringify({
      level,
      message,
      timestamp: new Date(now).toISOString(),
      service,
      sampling_rate: 0,
      xray_trace_id: trace,
      ...fields,
      ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
      _aws: metrics.length ? { Timestamp: now, CloudWatchMetrics: metrics.map(directive) } : undefined,
    });
    write(`${text}\n`);
  };

  const outcome = (value: number): Metric => ({
    name: 'mtls_auth_total',
    value,
    dimensions: ['result', 'principal_type'],
  });
  /** What a certificate says of itself is the client's word. */
  const identity = (certificate: PresentedCertificate | undefined) => ({
    principal_id: clean(certificate?.commonName ?? '') || 'unknown',
    serial: certificate?.serial_number ?? 'unknown',
  });

  return {
    /** A certificate that had been parsed before. */
    remembered: (): void => {
      hits++;
    },

    /** Counts; writes the sums, a line per principal type and one for the parsed certificates, at most once a minute. */
    allowed: (type: PrincipalType, now: number): void => {
      successes[type] = (successes[type] ?? 0) + 1;
      if (now - flushed < period) return;
      for (const [principal_type, count] of Object.entries(successes))
        line('INFO', 'authentication successes', now, { result: 'success', principal_type }, [outcome(count)]);
      if (hits)
        line('INFO', 'parsed certificates remembered', now, { type: 'certificate' }, [
          { name: 'mtls_cache_hits', value: hits, dimensions: ['type'] },
        ]);
      hits = 0;
      successes = {};
      flushed = now;
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
        foreign ? [outcome(1), { name: 'mtls_foreign_certificate_total', value: 1, dimensions: [] }] : [outcome(1)],
      );
    },

    /** The records could not be read, or not understood. */
    unavailable: (certificate: PresentedCertificate, cause: string, now: number): void => {
      line('ERROR', `authentication unavailable: ${clean(cause)}`, now, identity(certificate));
    },
  };
};
