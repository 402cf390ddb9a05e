import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requestSigner } from '../../src/access/sign-request.ts';

class Sha256 {
  private readonly chunks: Uint8Array[] = [];
  constructor(private readonly secret?: string | Uint8Array | ArrayBuffer | ArrayBufferView) {}
  update(chunk: string | Uint8Array) {
    this.chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  }
  reset() {
    this.chunks.length = 0;
  }
  async digest(): Promise<Uint8Array> {
    const secret = this.secret;
    const key = typeof secret === 'string' ? secret : secret && Buffer.from(secret as Uint8Array);
    const sum = key === undefined ? createHash('sha256') : createHmac('sha256', key);
    for (const chunk of this.chunks) sum.update(chunk);
    return sum.digest();
  }
}

describe('a signed request', () => {
  it('is the “post-vanilla” of AWS’s published test suite, to the letter', () => {
    const sign = requestSigner({
      credentials: {
        accessKeyId: 'AKIDEXAMPLE',
        secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
        sessionToken: undefined,
      },
      region: 'us-east-1',
      service: 'service',
      host: 'example.amazonaws.com',
    });
    expect(sign({}, '', Date.parse('2015-08-30T12:36:00Z'))).toEqual({
      host: 'example.amazonaws.com',
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
    });
  });

  it('is what the SDK’s signer makes of it, for any body, time, token and region', async () => {
    const text = fc
      .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 })
      .map((raw) => raw.replace(/\s/g, '_'));
    await fc.assert(
      fc.asyncProperty(
        fc.record({ accessKeyId: text, secretAccessKey: text, sessionToken: fc.option(text, { nil: undefined }) }),
        fc.constantFrom('ap-southeast-2', 'us-east-1', 'cn-north-1'),
        fc.array(
          fc.tuple(
            fc.string({ unit: 'binary' }),
            fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }),
          ),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        async (credentials, region, requests) => {
          const host = `dynamodb.${region}.amazonaws.com`;
          const sign = requestSigner({ credentials, region, service: 'dynamodb', host });
          const theirs = new SignatureV4({
            credentials: {
              accessKeyId: credentials.accessKeyId,
              secretAccessKey: credentials.secretAccessKey,
              ...(credentials.sessionToken ? { sessionToken: credentials.sessionToken } : {}),
            },
            region,
            service: 'dynamodb',
            sha256: Sha256,
            applyChecksum: false,
          });
          for (const [body, date] of requests) {
            const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.X' };
            const expected = await theirs.sign(
              { method: 'POST', protocol: 'https:', hostname: host, path: '/', headers: { ...headers, host }, body },
              { signingDate: date },
            );
            expect(sign(headers, body, date.getTime())).toEqual(expected.headers);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
