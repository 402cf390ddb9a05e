/** Every route with its function and exactly what that function may touch. */
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import {
  type IResource,
  LambdaIntegration,
  MockIntegration,
  PassthroughBehavior,
  Resource,
} from 'aws-cdk-lib/aws-apigateway';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { certificateIndexes, controlKeys, type Deployment, functionName } from '../src/names.ts';
import { type Route, routes } from '../src/routes.ts';
import type { Access } from './access.ts';
import type { Audit } from './audit.ts';
import { type AuditRoute, auditRoutes } from './audit-routes.ts';
import { type EndpointRoute, endpointRoutes } from './endpoint-routes.ts';
import { addFunction, allow, onlyRows } from './function.ts';
import type { Stamps } from './stamps.ts';
import type { Tables } from './tables.ts';

interface ApiProps {
  readonly deployment: Deployment;
  readonly domain: string;
  readonly tables: Tables;
  readonly stamps: Stamps;
  readonly access: Access;
  readonly audit: Audit;
}

export interface RouteFunction {
  readonly entry: string;
  readonly does: string;
  readonly grants: readonly PolicyStatement[];
  readonly environment?: Readonly<Record<string, string>>;
  /** For those that write audited rows, or judge who wrote one. */
  readonly stamps?: Stamps;
  /** MB */
  readonly memory?: number;
}

export class Api extends Construct {
  constructor(scope: Construct, id: string, { deployment, domain, tables, stamps, access, audit }: ApiProps) {
    super(scope, id);
    const { api, authorizer } = access;
    const guarded = { authorizer };
    const answering = {
      ...functions(Stack.of(this), { deployment, tables, stamps }),
      ...auditRoutes(audit, { tables, stamps }),
      ...endpointRoutes(tables, { stamps, domain, reachable: '' }),
    };
    for (const route of routes) {
      const { entry, does, grants, environment, stamps, memory }: RouteFunction = answering[route];
      const [method = '', path = ''] = route.split(' ');
      const handler = addFunction(this, deployment, {
        entry,
        description: `${route}: ${does}`,
        timeout: Duration.seconds(25),
        grants,
        ...(environment === undefined ? {} : { environment }),
        ...(stamps === undefined ? {} : { stamps }),
        ...(memory === undefined ? {} : { memory }),
      });
      // Without the right to be called from API Gateway's console, which asks no authorizer.
      const integration = new LambdaIntegration(handler, { allowTestInvoke: false });
      api.root.resourceForPath(path).addMethod(method, integration, guarded);
    }

    // The rest of every path, so that the gate is asked there too and only an allowed caller hears that nothing is there.
    const nothing = {
      ...guarded,
      methodResponses: [{ statusCode: '404', responseParameters: { 'method.response.header.Content-Type': true } }],
    };
    api.root.addResource('{proxy+}');
    for (const resource of [api.root, ...below(api.root)]) resource.addMethod('ANY', notFound, nothing);
  }
}

const notFound = new MockIntegration({
  requestTemplates: { 'application/json': '{"statusCode": 404}' },
  passthroughBehavior: PassthroughBehavior.NEVER,
  integrationResponses: [
    {
      statusCode: '404',
      responseParameters: { 'method.response.header.Content-Type': "'application/problem+json'" },
      responseTemplates: {
        'application/json':
          '{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is nothing here"}',
      },
    },
  ],
});

const below = (resource: IResource): IResource[] =>
  resource.node.children.flatMap((child) => (child instanceof Resource ? [child, ...below(child)] : []));

function functions(
  stack: Stack,
  { deployment, tables, stamps }: Pick<ApiProps, 'deployment' | 'tables' | 'stamps'>,
): Record<Exclude<Route, AuditRoute | EndpointRoute>, RouteFunction> {
  const { principals, certificates, controls } = tables.all;
  const sign = allow(
    ['lambda:InvokeFunction'],
    [
      stack.formatArn({
        service: 'lambda',
        resource: 'function',
        resourceName: functionName(deployment, 'sign-certificate'),
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    ],
  );
  const index = (name: string): string => `${certificates.tableArn}/index/${name}`;
  const onTable = (table: Table, ...actions: string[]) =>
    allow(
      actions.map((action) => `dynamodb:${action}`),
      [table.tableArn],
    );
  const onIndex = (...names: string[]) => allow(['dynamodb:Query'], names.map(index));
  const onControls = (rows: string[], ...actions: string[]) =>
    allow(
      actions.map((action) => `dynamodb:${action}`),
      [controls.tableArn],
      onlyRows(...rows),
    );

  // What each change checks of its own caller, in the transaction that writes it.
  const callerStands = [
    onTable(principals, 'ConditionCheckItem'),
    onTable(certificates, 'ConditionCheckItem'),
    onControls([controlKeys.generations], 'ConditionCheckItem'),
  ];
  // What keeps at least one admin who can get in.
  const lastAdmin = [
    onTable(principals, 'BatchGetItem'),
    onTable(certificates, 'BatchGetItem'),
    onControls([controlKeys.generations, controlKeys.admins], 'GetItem'),
    onControls([controlKeys.admins], 'PutItem', 'UpdateItem'),
  ];
  const issuing = [
    sign,
    onTable(principals, 'GetItem', 'UpdateItem'),
    onTable(certificates, 'BatchGetItem', 'PutItem', 'ConditionCheckItem'),
    onIndex(certificateIndexes.byPublicKey),
    onControls([controlKeys.generations, controlKeys.keys], 'ConditionCheckItem', 'GetItem'),
    onControls([controlKeys.keys], 'PutItem'),
  ];
  const readGeneration = onControls([controlKeys.generations], 'GetItem');

  return {
    'GET /whoami': { entry: 'access/show-caller', does: 'the caller as the gate saw it', grants: [] },
    'POST /api/v1/principals': {
      entry: 'principal/create-principal',
      stamps,
      does: 'registers a principal',
      grants: [
        ...callerStands,
        onTable(principals, 'PutItem'),
        onControls([controlKeys.admins], 'GetItem', 'PutItem', 'UpdateItem'),
      ],
    },
    'GET /api/v1/principals': {
      entry: 'principal/list-principals',
      does: 'lists principals',
      grants: [onTable(principals, 'Scan')],
    },
    'GET /api/v1/principals/{principal_id}': {
      entry: 'principal/get-principal',
      does: 'shows a principal',
      grants: [onTable(principals, 'GetItem')],
    },
    'POST /api/v1/principals/{principal_id}/suspend': {
      entry: 'principal/suspend-principal',
      stamps,
      does: 'suspends a principal',
      grants: [...callerStands, ...lastAdmin, onTable(principals, 'GetItem', 'UpdateItem')],
    },
    'POST /api/v1/principals/{principal_id}/activate': {
      entry: 'principal/activate-principal',
      stamps,
      does: 'lets a suspended principal in again',
      grants: [...callerStands, onTable(principals, 'GetItem', 'UpdateItem')],
    },
    'POST /api/v1/certificates': {
      entry: 'certificate/issue-certificate',
      stamps,
      does: 'issues a certificate',
      grants: [...issuing, onTable(principals, 'ConditionCheckItem')],
    },
    'GET /api/v1/certificates': {
      entry: 'certificate/list-certificates',
      does: 'lists certificates',
      grants: [
        onTable(principals, 'GetItem'),
        onIndex(certificateIndexes.byPrincipal, certificateIndexes.byExpiry),
        readGeneration,
      ],
    },
    'POST /api/v1/certificates/renew': {
      entry: 'certificate/renew-certificate',
      stamps,
      does: 'renews the certificate that the caller presents',
      grants: [...issuing, onTable(certificates, 'GetItem')],
    },
    'GET /api/v1/certificates/{serial_number}': {
      entry: 'certificate/get-certificate',
      does: 'shows a certificate',
      grants: [onTable(certificates, 'GetItem'), readGeneration],
    },
    'POST /api/v1/certificates/{serial_number}/revoke': {
      entry: 'certificate/revoke-certificate',
      stamps,
      does: 'revokes a certificate',
      grants: [
        ...callerStands,
        ...lastAdmin,
        onTable(principals, 'GetItem', 'UpdateItem'),
        onTable(certificates, 'GetItem', 'UpdateItem'),
        onIndex(certificateIndexes.byPrincipal),
        onControls([controlKeys.keys], 'BatchGetItem', 'PutItem', 'UpdateItem'),
      ],
    },
  };
}
