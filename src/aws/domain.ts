/** The API's domain: which version of the truststore it goes by. */
import {
  APIGatewayClient,
  GetDomainNameCommand,
  TooManyRequestsException,
  UpdateDomainNameCommand,
} from '@aws-sdk/client-api-gateway';
import { Unavailable } from '../errors.ts';

export interface DomainTruststore {
  /** undefined: the newest one when the domain was made. */
  readonly version: string | undefined;
  /** False while API Gateway is taking a change over. */
  readonly settled: boolean;
  /** What API Gateway found wrong with certificates in it; it refuses their clients. */
  readonly warnings: readonly string[];
}

export interface MutualTlsDomain {
  readonly read: () => Promise<DomainTruststore>;
  /** @throws Unavailable within 30 s of the last change */
  readonly useVersion: (version: string) => Promise<void>;
}

export const openDomain = (
  domainName: string,
  client = new APIGatewayClient({
    maxAttempts: 4,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 15_000 },
  }),
): MutualTlsDomain => ({
  read: async () => {
    const { mutualTlsAuthentication, domainNameStatus } = await client.send(new GetDomainNameCommand({ domainName }));
    return {
      version: mutualTlsAuthentication?.truststoreVersion,
      settled: domainNameStatus === undefined || domainNameStatus === 'AVAILABLE',
      warnings: mutualTlsAuthentication?.truststoreWarnings ?? [],
    };
  },
  useVersion: async (version) => {
    try {
      await client.send(
        new UpdateDomainNameCommand({
          domainName,
          patchOperations: [{ op: 'replace', path: '/mutualTlsAuthentication/truststoreVersion', value: version }],
        }),
      );
    } catch (error) {
      if (error instanceof TooManyRequestsException)
        throw new Unavailable('API Gateway takes one change of a domain in 30 seconds; try again');
      throw error;
    }
  },
});
