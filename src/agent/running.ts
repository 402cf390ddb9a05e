/** What the parts of a running agent share. */
import type { Identity } from '../cli/identity.ts';
import type { Settings } from '../cli/settings.ts';
import type { Complaints } from './complaints.ts';
import type { AgentConfig } from './config.ts';
import type { Lanes } from './lanes.ts';
import type { Performing } from './perform.ts';

export interface AgentWorld {
  /** This machine's clock, ms. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Called after each piece of work. */
  readonly rest: () => void;
}

/** `config` is the newest that was read. */
export interface Running extends Performing, AgentWorld {
  /** What the heartbeat calls this program. */
  readonly version: string;
  readonly lanes: Lanes;
  readonly complaints: Complaints;
  /** No request before this, own clock, ms: the server asked for it. */
  holdOff: number;
}

/** Where the agent's side of the API is. */
export const agentsPath = ['api', 'v1', 'identity', 'agents'] as const;

/** As failures are explained by. */
export const settingsOf = ({ server, cacert }: AgentConfig, { files }: Identity): Settings => ({
  server,
  cacert,
  clientCert: files.cert,
  clientKey: files.key,
});
