import {
  APIGatewayClient,
  CreateDomainNameCommand,
  GetDomainNameCommand,
  UpdateDomainNameCommand,
} from '@aws-sdk/client-api-gateway';
import { CreateBucketCommand, PutBucketVersioningCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { localAws } from '../../local/aws.ts';
import { describeWithEmulator } from '../emulator.ts';
import { issue } from './authorities.ts';

describeWithEmulator('a mutual-TLS domain on the emulator', (emulator) => {
  const api = emulator.client(APIGatewayClient);
  const s3 = emulator.client(S3Client);
  const domainName = 'domain-test.example.com';
  const truststoreUri = 's3://domain-test/truststore.pem';

  it('needs a truststore with a certificate, moves to the version that it is told, and refuses one that is not there', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'domain-test' }));
    await s3.send(
      new PutBucketVersioningCommand({ Bucket: 'domain-test', VersioningConfiguration: { Status: 'Enabled' } }),
    );
    const create = () =>
      api.send(
        new CreateDomainNameCommand({
          domainName,
          regionalCertificateArn: 'arn:aws:acm:us-east-1:000000000000:certificate/1',
          endpointConfiguration: { types: ['REGIONAL'] },
          mutualTlsAuthentication: { truststoreUri },
        }),
      );
    await expect(create()).rejects.toThrow(/truststore/);
    const put = async (Body: string) =>
      (await s3.send(new PutObjectCommand({ Bucket: 'domain-test', Key: 'truststore.pem', Body }))).VersionId ?? '';
    const { pem } = await issue({ name: 'authority', authority: {} });
    const first = await put(pem);
    await create();
    const second = await put(pem + pem);

    const move = (value: string) =>
      api.send(
        new UpdateDomainNameCommand({
          domainName,
          patchOperations: [{ op: 'replace', path: '/mutualTlsAuthentication/truststoreVersion', value }],
        }),
      );
    await move(second);
    await expect(move('not-a-version')).rejects.toThrow(/truststore/);
    const { mutualTlsAuthentication } = await api.send(new GetDomainNameCommand({ domainName }));
    expect(mutualTlsAuthentication).toMatchObject({ truststoreUri, truststoreVersion: second });

    const aws = localAws(emulator.endpoint, emulator.region);
    expect(await aws.truststore(truststoreUri, first, undefined)).toBe(pem);
    expect(await aws.truststore(truststoreUri, undefined, undefined)).toBe(pem + pem);
  });

  it('is never looked for on another machine', () => {
    expect(() => localAws('https://apigateway.us-east-1.amazonaws.com', 'us-east-1')).toThrow(/not on this machine/);
  });
});
