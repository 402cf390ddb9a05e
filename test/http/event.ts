/** API Gateway's proxy events as tests need them. */
export interface EventParts {
  readonly path?: Record<string, string>;
  readonly query?: Record<string, string | string[]>;
  /** A string is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly caller?: object | null;
}

export const adminCaller = {
  principal_id: 'admin-one',
  principal_type: 'admin',
  serial_number: '01aa',
  generation: '0',
  principalId: 'admin-one',
  integrationLatency: 3,
};

/** `event('POST /api/v1/principals', {body})`, as an admin unless it says otherwise. */
export const event = (route: string, parts: EventParts = {}): unknown => {
  const [httpMethod = '', resource = ''] = route.split(' ');
  const query = Object.entries(parts.query ?? {});
  return {
    httpMethod,
    resource,
    path: resource,
    headers: {
      Host: 'api.example.com',
      ...(httpMethod === 'GET' ? {} : { 'Content-Type': 'application/json' }),
      ...parts.headers,
    },
    pathParameters: parts.path ?? null,
    queryStringParameters: query.length ? Object.fromEntries(query.map(([k, v]) => [k, [v].flat().at(-1)])) : null,
    multiValueQueryStringParameters: query.length ? Object.fromEntries(query.map(([k, v]) => [k, [v].flat()])) : null,
    body: parts.body === undefined ? null : typeof parts.body === 'string' ? parts.body : JSON.stringify(parts.body),
    isBase64Encoded: false,
    requestContext: {
      requestId: 'of-the-request',
      authorizer: parts.caller === undefined ? adminCaller : parts.caller,
    },
  };
};
