/** The AWS emulator that all unit tests of a run share: its address, and SDK clients that talk to it. */
import { describe, inject } from 'vitest';

/** What every SDK client needs to reach the emulator. The credentials are no secret. */
export interface LocalConfig {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly forcePathStyle: true;
  readonly maxAttempts: number;
}

export interface TestEmulator {
  readonly endpoint: string;
  readonly region: string;
  readonly config: LocalConfig;
  /** Builds an SDK client: `emulator.client(DynamoDBClient)`. */
  readonly client: <C>(Client: new (config: LocalConfig) => C) => C;
  /** The environment of a process that is to reach the emulator with the SDK's own conventions. */
  readonly env: Readonly<Record<string, string>>;
}

const emulatorAt = (endpoint: string, region: string): TestEmulator => {
  const config: LocalConfig = {
    endpoint,
    region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    forcePathStyle: true,
    maxAttempts: 1,
  };
  return {
    endpoint,
    region,
    config,
    client: (Client) => new Client(config),
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    },
  };
};

/** The emulator of this run. State is shared by all files: give tables and keys names of your own. Throws when there is none. */
export const useEmulator = (): TestEmulator => {
  const shared = inject('emulator');
  if ('missing' in shared) throw new Error(shared.missing);
  return emulatorAt(shared.endpoint, shared.region);
};

/** `describe` for what needs the emulator: skipped, with the sentence that says how to get it, when there is none. */
export const describeWithEmulator = (name: string, tests: (emulator: TestEmulator) => void): void => {
  const shared = inject('emulator');
  if ('missing' in shared)
    describe.skip(`${name} (${shared.missing})`, () => tests(emulatorAt('http://127.0.0.1:9', 'us-east-1')));
  else describe(name, () => tests(emulatorAt(shared.endpoint, shared.region)));
};
