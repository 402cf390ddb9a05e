/** The gate: the certificate of a request in, API Gateway's answer out. */
import type { APIGatewayAuthorizerResult } from 'aws-lambda';
import { Unavailable } from '../errors.ts';
import type { Deployment } from '../names.ts';
import { allowAnswer, denyAnswer, stageResource } from './answer.ts';
import { rememberCertificates } from './certificate.ts';
import { type Decision, decide, type Item, unreadableCertificate } from './decide.ts';
import { type ReadRecords, recordReader } from './read-records.ts';
import { openReport } from './report.ts';
import { sender } from './send-request.ts';

export interface Gate {
  readonly deployment: Deployment;
  readonly service: string;
  readonly readRecords: ReadRecords;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly write: (line: string) => void;
}

/** The value at a path of an event that nobody has checked. */
const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>(
    (inner, name) => (typeof inner === 'object' && inner ? (inner as Item)[name] : undefined),
    value,
  );

/**
 * Answers the events of a REQUEST authorizer in front of mutual TLS. Allows or denies; throws where it cannot tell,
 * which the gateway answers with 503.
 *
 * @throws Unavailable where the records could not be read or the generation is missing or malformed.
 */
export const authorizer = ({ deployment, service, readRecords, now, write }: Gate) => {
  const certificates = rememberCertificates();
  const report = openReport({ deployment, service, write });

  return async (event: unknown): Promise<APIGatewayAuthorizerResult> => {
    const resource = stageResource(at(event, 'methodArn'));
    const pem = at(event, 'requestContext', 'identity', 'clientCert', 'clientCertPem');
    const { certificate, remembered } = certificates(typeof pem === 'string' ? pem : '');
    report.requested(remembered, now());
    if (!certificate) {
      report.denied(certificate, unreadableCertificate, now());
      return denyAnswer(resource, unreadableCertificate.message);
    }

    let decision: Decision;
    try {
      const records = await readRecords(certificate.commonName, certificate.serial_number);
      decision = decide(deployment, certificate, records, now());
    } catch (error) {
      decision = { outcome: 'unavailable', cause: String(error) };
    }
    switch (decision.outcome) {
      case 'allow':
        report.allowed(decision.principal_type, now());
        return allowAnswer(resource, decision);
      case 'deny':
        report.denied(certificate, decision, now());
        return denyAnswer(resource, decision.message);
      case 'unavailable':
        report.unavailable(certificate, decision.cause, now());
        throw new Unavailable('authentication unavailable');
    }
  };
};

const required = (environment: NodeJS.ProcessEnv, name: string): string => {
  const value = environment[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};

/** The gate as a deployed function finds it. @throws Error where its environment is not that of a function of the stack. */
export const authorizerFromEnvironment = (environment: NodeJS.ProcessEnv = process.env) => {
  const deployment: Deployment = {
    name: required(environment, 'EVERLEAF_NAME'),
    environment: required(environment, 'EVERLEAF_ENVIRONMENT'),
  };
  const region = required(environment, 'AWS_REGION');
  const send = sender({
    region,
    operation: 'BatchGetItem',
    endpoint: new URL(
      environment.AWS_ENDPOINT_URL_DYNAMODB ||
        environment.AWS_ENDPOINT_URL ||
        `https://dynamodb.${region}.${environment.AWS_URL_SUFFIX || 'amazonaws.com'}`,
    ),
    credentials: {
      accessKeyId: required(environment, 'AWS_ACCESS_KEY_ID'),
      secretAccessKey: required(environment, 'AWS_SECRET_ACCESS_KEY'),
      sessionToken: environment.AWS_SESSION_TOKEN,
    },
  });
  return authorizer({
    deployment,
    service: environment.POWERTOOLS_SERVICE_NAME || 'authorize-request',
    readRecords: recordReader(deployment, send),
    now: Date.now,
    write: (line) => process.stdout.write(line),
  });
};
