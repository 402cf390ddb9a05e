/** What whoever appends to the chain needs from outside, beyond what every use case does. */
import type { AuditMetric } from '../names.ts';
import type { World } from '../world.ts';
import type { HeadStore } from './head.ts';
import type { Position } from './position.ts';

export interface AuditWorld extends World {
  readonly heads: HeadStore;
  /** By the heads' key: ECDSA over SHA-256 of the bytes, DER. */
  readonly signHead: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly sleep: (ms: number) => Promise<void>;
  /**
   * What this environment knows of the chain from its last append, so that the next one reads nothing first; and how
   * far reading all of it anew came, where that had to be.
   */
  readonly memory: { position?: Position; rebuilt?: Position };
  /** Tells at once that somebody else wrote, or removed something, where only the audit writes. */
  readonly alarm: (problem: string, fields: Readonly<Record<string, unknown>>) => void;
  /** A line of log for whoever follows up an alarm. */
  readonly warn: (problem: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Adds to the deployment's metrics, by which alarms are raised. */
  readonly count: (counts: Readonly<Partial<Record<AuditMetric, number>>>) => void;
}
