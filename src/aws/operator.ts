/** What an operator with AWS credentials asks AWS for: deployed stacks, parameters, the domain's certificate, functions, principals. */
import { ACMClient, GetCertificateCommand } from '@aws-sdk/client-acm';
import { CloudFormationClient, paginateDescribeStacks } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SSMClient } from '@aws-sdk/client-ssm';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import type { z } from 'zod';
import { type Deployment, type InternalFunction, type Parameter, tableName } from '../names.ts';
import { invokeFunction } from './invoke.ts';
import { openParameters } from './parameters.ts';
import { documentClient } from './world.ts';

export interface DeployedStack {
  readonly name: string;
  /** By key; anybody's stack may say anything. */
  readonly outputs: Readonly<Record<string, string>>;
}

export interface Operator {
  /** Every deployed stack of the region. */
  readonly listStacks: () => Promise<DeployedStack[]>;
  /** null: there is no such parameter. SecureStrings come decrypted. */
  readonly readParameter: (deployment: Deployment, parameter: Parameter) => Promise<string | null>;
  /** The certificate and the chain above it, PEM. */
  readonly readDomainCertificate: (arn: string) => Promise<string>;
  readonly hasPrincipal: (deployment: Deployment, principal_id: string) => Promise<boolean>;
  readonly invoke: <T>(
    deployment: Deployment,
    name: InternalFunction,
    payload: unknown,
    result: z.ZodType<T>,
  ) => Promise<T>;
}

/** Clients as AWS's own configuration has them; `region` outranks it. */
export const openOperator = (region: string | undefined): Operator => {
  const config = region === undefined ? {} : { region };
  const stacks = new CloudFormationClient(config);
  const parameters = new SSMClient(config);
  const certificates = new ACMClient(config);
  const documents = documentClient(new DynamoDBClient(config));
  // Renewing the server's certificate signs, waits for a lease and writes: longer than other calls, never repeated.
  const functions = new LambdaClient({ ...config, maxAttempts: 1, requestHandler: { requestTimeout: 120_000 } });
  return {
    listStacks: async () => {
      const found: DeployedStack[] = [];
      for await (const page of paginateDescribeStacks({ client: stacks }, {}))
        for (const stack of page.Stacks ?? [])
          found.push({
            name: stack.StackName ?? '',
            outputs: Object.fromEntries(
              (stack.Outputs ?? []).map((one) => [one.OutputKey ?? '', one.OutputValue ?? '']),
            ),
          });
      return found;
    },
    readParameter: (deployment, parameter) => openParameters(deployment, parameters).read(parameter),
    readDomainCertificate: async (arn) => {
      const { Certificate = '', CertificateChain = '' } = await certificates.send(
        new GetCertificateCommand({ CertificateArn: arn }),
      );
      return `${Certificate}\n${CertificateChain}\n`;
    },
    hasPrincipal: async (deployment, principal_id) => {
      const TableName = tableName(deployment, 'principals');
      const { Item } = await documents.send(new GetCommand({ TableName, Key: { principal_id }, ConsistentRead: true }));
      return Item !== undefined;
    },
    invoke: (deployment, name, payload, result) => invokeFunction(deployment, name, payload, result, functions),
  };
};
