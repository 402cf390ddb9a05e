/** The local cloud's own questions to the emulator, asked with dummy credentials at a loopback address and nowhere else. */
import { ACMClient, GetCertificateCommand, ImportCertificateCommand } from '@aws-sdk/client-acm';
import { APIGatewayClient, GetDomainNameCommand } from '@aws-sdk/client-api-gateway';
import { CloudFormationClient, DescribeStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient, UpdateItemCommand, type UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, ListObjectVersionsCommand, S3Client } from '@aws-sdk/client-s3';

/** Not secret: the emulator takes any. */
export const dummyCredentials = { accessKeyId: 'test', secretAccessKey: 'test' } as const;
export const account = '000000000000';

/** @throws Error for an endpoint on any other machine: nothing local may reach a real account. */
export const assertLoopback = (endpoint: string): string => {
  const { protocol, hostname } = new URL(endpoint);
  if (protocol !== 'http:' || !['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) {
    throw new Error(`${endpoint} is not on this machine: the local cloud talks to http://127.0.0.1 alone`);
  }
  return endpoint;
};

/** The environment of a child that is to talk to the emulator: AWS settings of the user's are left out, all of them. */
export const localEnvironment = (endpoint: string, region: string): Record<string, string> => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !/^(AWS|CDK)_/.test(entry[0]),
    ),
  ),
  AWS_ENDPOINT_URL: assertLoopback(endpoint),
  AWS_REGION: region,
  AWS_DEFAULT_REGION: region,
  AWS_ACCESS_KEY_ID: dummyCredentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: dummyCredentials.secretAccessKey,
  AWS_EC2_METADATA_DISABLED: 'true',
  // No profile of the user's may bring another account in.
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
});

/** Hands on the environment of a child. @throws Error for one in which AWS is not on this machine or the credentials are not the dummy ones. */
export const assertLocal = (environment: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
  assertLoopback(environment.AWS_ENDPOINT_URL ?? '');
  const { accessKeyId, secretAccessKey } = dummyCredentials;
  const dummy =
    environment.AWS_ACCESS_KEY_ID === accessKeyId &&
    environment.AWS_SECRET_ACCESS_KEY === secretAccessKey &&
    environment.AWS_CONFIG_FILE === '/dev/null' &&
    environment.AWS_SHARED_CREDENTIALS_FILE === '/dev/null' &&
    !['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'AWS_ROLE_ARN'].some((name) => environment[name]);
  if (!dummy) throw new Error('the local cloud runs its commands with dummy credentials and no others');
  return environment;
};

export interface DomainState {
  readonly certificateArn: string;
  readonly truststoreUri: string;
  /** Undefined: the newest at the time the domain was made or changed. */
  readonly truststoreVersion: string | undefined;
  /** Differs when the domain does. */
  readonly seen: string;
}

export interface LocalAws {
  readonly endpoint: string;
  readonly region: string;
  readonly account: string;
  readonly describeStack: (
    name: string,
  ) => Promise<{ physicalIds: Record<string, string>; updatedAt: Record<string, Date> }>;
  readonly domain: (name: string) => Promise<DomainState>;
  /** The object's text at a version, or at the newest that is not younger than `notAfter`. */
  readonly truststore: (uri: string, version: string | undefined, notAfter: Date | undefined) => Promise<string>;
  /** PEM: the certificate and its chain. */
  readonly certificate: (arn: string) => Promise<string>;
  /** Returns the ARN. */
  readonly importCertificate: (files: { certificate: string; chain: string; key: string }) => Promise<string>;
  /** As `aws dynamodb update-item` does. */
  readonly updateItem: (input: UpdateItemCommandInput) => Promise<void>;
}

export const localAws = (endpoint: string, region: string): LocalAws => {
  const config = { endpoint: assertLoopback(endpoint), region, credentials: dummyCredentials, maxAttempts: 2 };
  const acm = new ACMClient(config);
  const apiGateway = new APIGatewayClient(config);
  const cloudFormation = new CloudFormationClient(config);
  const dynamoDb = new DynamoDBClient(config);
  const s3 = new S3Client({ ...config, forcePathStyle: true });

  return {
    endpoint,
    region,
    account,
    describeStack: async (StackName) => {
      const { StackResources = [] } = await cloudFormation.send(new DescribeStackResourcesCommand({ StackName }));
      const physicalIds: Record<string, string> = {};
      const updatedAt: Record<string, Date> = {};
      for (const { LogicalResourceId: logical, PhysicalResourceId: physical, Timestamp } of StackResources) {
        if (!logical || !physical) continue;
        physicalIds[logical] = physical;
        if (Timestamp) updatedAt[physical] = Timestamp;
      }
      return { physicalIds, updatedAt };
    },
    domain: async (domainName) => {
      const domain = await apiGateway.send(new GetDomainNameCommand({ domainName }));
      const { regionalCertificateArn: certificateArn, mutualTlsAuthentication: mutual } = domain;
      if (!certificateArn || !mutual?.truststoreUri)
        throw new Error(`${domainName} has no certificate or no truststore`);
      const { truststoreUri, truststoreVersion } = mutual;
      return {
        certificateArn,
        truststoreUri,
        truststoreVersion: truststoreVersion || undefined,
        seen: JSON.stringify([certificateArn, mutual]),
      };
    },
    truststore: async (uri, version, notAfter) => {
      const { hostname: Bucket, pathname } = new URL(uri);
      const Key = decodeURIComponent(pathname.slice(1));
      let VersionId = version;
      if (!VersionId && notAfter) {
        const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key }));
        // Seconds are all that some of these times have.
        const limit = notAfter.getTime() + 1_000;
        VersionId = Versions.filter((v) => v.Key === Key && (v.LastModified?.getTime() ?? 0) <= limit).sort(
          (a, b) => (b.LastModified?.getTime() ?? 0) - (a.LastModified?.getTime() ?? 0),
        )[0]?.VersionId;
      }
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(VersionId ? { VersionId } : {}) }));
      return (await Body?.transformToString()) ?? '';
    },
    certificate: async (CertificateArn) => {
      const { Certificate, CertificateChain } = await acm.send(new GetCertificateCommand({ CertificateArn }));
      if (!Certificate) throw new Error(`ACM has no certificate ${CertificateArn}`);
      return [Certificate, CertificateChain ?? ''].map((pem) => pem.trim()).join('\n');
    },
    importCertificate: async ({ certificate, chain, key }) => {
      const { CertificateArn } = await acm.send(
        new ImportCertificateCommand({
          Certificate: Buffer.from(certificate),
          CertificateChain: Buffer.from(chain),
          PrivateKey: Buffer.from(key),
        }),
      );
      if (!CertificateArn) throw new Error('ACM imported nothing');
      return CertificateArn;
    },
    updateItem: async (input) => {
      await dynamoDb.send(new UpdateItemCommand(input));
    },
  };
};
