/** The events of a REST API as API Gateway documents them: for its REQUEST authorizer and for a proxied function. */
import type { X509Certificate } from 'node:crypto';
import type { Api, Method } from './model.ts';

/** One request as it came over the wire. */
export interface Request {
  readonly id: string;
  readonly httpMethod: string;
  /** As sent, not decoded, without the query. */
  readonly path: string;
  readonly query: string;
  /** Names and values in turn, as sent. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly sourceIp: string;
  readonly receivedAt: number;
  readonly certificate: X509Certificate;
}

type Lists = Record<string, string[]>;

const append = (lists: Lists, name: string, value: string): void => {
  if (!Object.hasOwn(lists, name)) Object.defineProperty(lists, name, { value: [], enumerable: true });
  lists[name]?.push(value);
};

const last = (lists: Lists): Record<string, string> =>
  Object.fromEntries(Object.entries(lists).map(([name, values]) => [name, values.at(-1) ?? '']));

/** Not handed on: they speak of the connection. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'proxy-connection',
  'expect',
]);

const headersOf = (request: Request, traceId: string, port: number): Lists => {
  const lists: Lists = {};
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? '';
    if (!hopByHop.has(name.toLowerCase())) append(lists, name, request.rawHeaders[i + 1] ?? '');
  }
  append(lists, 'X-Amzn-Trace-Id', traceId);
  append(lists, 'X-Forwarded-For', request.sourceIp);
  append(lists, 'X-Forwarded-Port', String(port));
  append(lists, 'X-Forwarded-Proto', 'https');
  return lists;
};

const queryOf = (query: string): Lists => {
  const lists: Lists = {};
  for (const [name, value] of new URLSearchParams(query)) append(lists, name, value);
  return lists;
};

/** `CN=a\nO=b` as Node prints it, most specific part first and commas escaped, as in RFC 4514. */
const distinguishedName = (lines: string): string =>
  lines
    .split('\n')
    .reverse()
    .map((line) => line.replace(/([,+"\\<>;])/g, '\\$1'))
    .join(',');

const clientCert = (certificate: X509Certificate) => ({
  clientCertPem: certificate.toString(),
  subjectDN: distinguishedName(certificate.subject),
  issuerDN: distinguishedName(certificate.issuer),
  serialNumber: certificate.serialNumber.toLowerCase().replace(/..(?=.)/g, '$&:'),
  validity: { notBefore: certificate.validFrom, notAfter: certificate.validTo },
});

export interface Events {
  readonly requestId: string;
  readonly methodArn: string;
  readonly authorizer: () => unknown;
  /** `context` is what the authorizer handed on. */
  readonly proxy: (context: Readonly<Record<string, unknown>> | undefined) => unknown;
}

interface Where {
  readonly region: string;
  readonly account: string;
  readonly domain: string;
  readonly port: number;
}

const orNull = <T extends object>(value: T): T | null => (Object.keys(value).length > 0 ? value : null);

/** The events of one request that reached a method. `innerPath` is the path without the base path. */
export const eventsOf = (
  request: Request,
  api: Api,
  method: Method,
  pathParameters: Readonly<Record<string, string>>,
  innerPath: string,
  where: Where,
): Events => {
  const multiValueHeaders = headersOf(
    request,
    `Root=1-${Math.floor(request.receivedAt / 1000).toString(16)}-${request.id.replaceAll('-', '').slice(0, 24)}`,
    where.port,
  );
  const multiValueQueryStringParameters = queryOf(request.query);
  const headers = last(multiValueHeaders);
  const queryStringParameters = last(multiValueQueryStringParameters);
  const methodArn = `arn:aws:execute-api:${where.region}:${where.account}:${api.id}/${api.stage}/${request.httpMethod}${innerPath}`;
  const requestContext = {
    resourceId: method.resourceId,
    resourcePath: method.resource,
    httpMethod: request.httpMethod,
    extendedRequestId: request.id.slice(0, 8),
    requestTime: new Date(request.receivedAt).toUTCString(),
    path: request.path,
    accountId: where.account,
    protocol: 'HTTP/1.1',
    stage: api.stage,
    domainPrefix: where.domain.split('.')[0],
    requestTimeEpoch: request.receivedAt,
    requestId: request.id,
    domainName: where.domain,
    apiId: api.id,
    identity: {
      cognitoIdentityPoolId: null,
      accountId: null,
      cognitoIdentityId: null,
      caller: null,
      sourceIp: request.sourceIp,
      principalOrgId: null,
      accessKey: null,
      cognitoAuthenticationType: null,
      cognitoAuthenticationProvider: null,
      userArn: null,
      userAgent: headers['User-Agent'] ?? headers['user-agent'] ?? null,
      user: null,
      clientCert: clientCert(request.certificate),
    },
  };
  const common = {
    resource: method.resource,
    path: request.path,
    httpMethod: request.httpMethod,
    headers,
    multiValueHeaders,
  };
  return {
    requestId: request.id,
    methodArn,
    authorizer: () => ({
      type: 'REQUEST',
      methodArn,
      ...common,
      queryStringParameters,
      multiValueQueryStringParameters,
      pathParameters,
      stageVariables: {},
      requestContext,
    }),
    proxy: (context) => ({
      ...common,
      queryStringParameters: orNull(queryStringParameters),
      multiValueQueryStringParameters: orNull(multiValueQueryStringParameters),
      pathParameters: orNull(pathParameters),
      stageVariables: null,
      requestContext: context ? { ...requestContext, authorizer: context } : requestContext,
      body: request.body.length > 0 ? request.body.toString('utf8') : null,
      isBase64Encoded: false,
    }),
  };
};
