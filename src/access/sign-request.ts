/** Signature Version 4 for the one request that the gate sends: a POST to `/` without a query. */
import { createHmac, hash } from 'node:crypto';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

export interface Signing {
  readonly credentials: Credentials;
  readonly region: string;
  readonly service: string;
  readonly host: string;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/**
 * Returns the function that gives a request its headers, the signed ones and `authorization`; all but the body's
 * signature key is the same for a day and kept. `now` is in ms since the epoch. Header names must be lower case.
 * AWS General Reference, "Create a signed AWS API request".
 */
export const requestSigner = ({ credentials, region, service, host }: Signing) => {
  let keyDay = '';
  let key: Buffer = Buffer.alloc(0);
  return (headers: Readonly<Record<string, string>>, body: string, now: number): Record<string, string> => {
    const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
    const day = time.slice(0, 8);
    if (day !== keyDay) {
      key = [day, region, service, 'aws4_request'].reduce<Buffer>(
        hmac,
        Buffer.from(`AWS4${credentials.secretAccessKey}`),
      );
      keyDay = day;
    }
    const signed: Record<string, string> = { ...headers, host, 'x-amz-date': time };
    if (credentials.sessionToken) signed['x-amz-security-token'] = credentials.sessionToken;
    const names = Object.keys(signed).sort();
    const list = names.join(';');
    const canonical = `POST\n/\n\n${names.map((name) => `${name}:${signed[name]}\n`).join('')}\n${list}\n${hash('sha256', body)}`;
    const scope = `${day}/${region}/${service}/aws4_request`;
    const signature = hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', canonical)}`).toString('hex');
    signed.authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${list}, Signature=${signature}`;
    return signed;
  };
};
