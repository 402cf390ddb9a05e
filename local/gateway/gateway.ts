/**
 * API Gateway's custom domain with mutual TLS, which the emulator does not have: serves the APIs of a deployed template,
 * asks their authorizer and calls their functions at the emulator.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { LocalAws } from '../aws.ts';
import { requestHandler } from './handle.ts';
import { lambdaInvoker } from './invoke.ts';
import { buildModel, type Model } from './model.ts';
import { type DomainFiles, startTlsFront } from './server.ts';
import { type Deployed, template } from './template.ts';
import { readTruststore } from './trust.ts';

export interface GatewayOptions {
  readonly aws: LocalAws;
  /** The synthesised template, `cdk.out/*.template.json`. */
  readonly templateFile: string;
  readonly stackName: string;
  /** The key of the certificate that was imported into ACM: ACM does not give keys back. */
  readonly serverKeyFile: string;
  /** 0: the system chooses. */
  readonly port?: number;
  readonly report?: (line: string) => void;
}

export interface Gateway {
  readonly port: number;
  readonly domain: string;
  readonly unserved: readonly string[];
  readonly stop: () => Promise<void>;
}

/** How often the domain is looked at: a new truststore is in force within this and one read. */
const pollMs = 400;

/** Starts the gateway. @throws UnknownConstruct when the template holds what it cannot serve as AWS would. */
export const startGateway = async (options: GatewayOptions): Promise<Gateway> => {
  const { aws, report = () => undefined } = options;
  const parsed = template.parse(JSON.parse(readFileSync(options.templateFile, 'utf8')));
  const stack = await aws.describeStack(options.stackName);
  const deployed: Deployed = { region: aws.region, account: aws.account, physicalIds: stack.physicalIds };
  const model: Model = buildModel(parsed, deployed);
  const key = readFileSync(options.serverKeyFile, 'utf8');
  const domainUpdatedAt = stack.updatedAt[model.domain];

  const read = async (first: boolean): Promise<{ seen: string; files: DomainFiles }> => {
    const domain = await aws.domain(model.domain);
    const truststore = await aws.truststore(
      domain.truststoreUri,
      domain.truststoreVersion,
      first ? domainUpdatedAt : undefined,
    );
    const certificate = await aws.certificate(domain.certificateArn);
    const [leaf] = certificate.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/) ?? [];
    if (!leaf || !new X509Certificate(leaf).checkPrivateKey(createPrivateKey(key))) {
      throw new Error(
        `the certificate ${domain.certificateArn} is not the one whose key is in ${options.serverKeyFile}`,
      );
    }
    for (const warning of readTruststore(truststore).warnings) report(`truststore: ${warning}`);
    return { seen: domain.seen, files: { certificate, key, truststore } };
  };

  const { invoke, close } = lambdaInvoker(aws.endpoint, aws.region);
  let current = await read(true);
  const front = await startTlsFront(options.port ?? 0, current.files, (port) =>
    requestHandler(model, invoke, port, report),
  );

  let stopped = false;
  const poll = async (): Promise<void> => {
    try {
      if ((await aws.domain(model.domain)).seen !== current.seen) {
        current = await read(false);
        front.use(current.files);
        report(`domain ${model.domain}: truststore and certificate read again`);
      }
    } catch (error) {
      report(`domain ${model.domain}: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (!stopped) timer = setTimeout(() => void poll(), pollMs);
  };
  let timer = setTimeout(() => void poll(), pollMs);

  return {
    port: front.port,
    domain: model.domain,
    unserved: model.unserved,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      close();
      await front.stop();
    },
  };
};
