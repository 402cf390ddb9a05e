/** The deployment's SSM parameters. */
import {
  DeleteParameterCommand,
  GetParameterCommand,
  ParameterNotFound,
  PutParameterCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { Unavailable } from '../errors.ts';
import { type Deployment, type Parameter, parameterName } from '../names.ts';

export interface Parameters {
  /** The value, decrypted; null when there is none. */
  readonly read: (parameter: Parameter) => Promise<string | null>;
  /** Writes a new version; SSM keeps the last hundred. What is `secret` is a SecureString, and in no error. @throws Unavailable */
  readonly write: (parameter: Parameter, value: string, kind: 'plain' | 'secret') => Promise<void>;
}

export const openParameters = (
  deployment: Deployment,
  client = new SSMClient({ maxAttempts: 4, requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000 } }),
): Parameters => ({
  read: async (parameter) => {
    try {
      const { Parameter: found } = await client.send(
        new GetParameterCommand({ Name: parameterName(deployment, parameter), WithDecryption: true }),
      );
      return found?.Value ?? null;
    } catch (error) {
      if (error instanceof ParameterNotFound) return null;
      throw error;
    }
  },
  write: async (parameter, value, kind) => {
    const command = new PutParameterCommand({
      Name: parameterName(deployment, parameter),
      Value: value,
      Type: kind === 'secret' ? 'SecureString' : 'String',
      Overwrite: true,
    });
    try {
      await client.send(command);
    } catch (error) {
      if (kind === 'plain') throw error;
      // AWS repeats a value that it refuses in its message; of a secret only the error's name goes on.
      const name = error instanceof Error ? error.name : 'Error';
      throw new Unavailable(`parameter ${parameter} could not be written: ${name}`);
    }
  },
});

/** Removes a parameter with its history; one that is not there is removed already. */
export const removeParameter = async (
  deployment: Deployment,
  parameter: Parameter,
  client = new SSMClient({ maxAttempts: 4 }),
): Promise<void> => {
  try {
    await client.send(new DeleteParameterCommand({ Name: parameterName(deployment, parameter) }));
  } catch (error) {
    if (!(error instanceof ParameterNotFound)) throw error;
  }
};
