/** The routes of endpoints, policies, fleets and the inventory, and exactly what each may touch. */
import { controlKeys, endpointIndexes, endpointKeys } from '../src/names.ts';
import type { Route } from '../src/routes.ts';
import type { RouteFunction } from './api.ts';
import { allow, onlyRows } from './function.ts';
import type { Stamps } from './stamps.ts';
import type { Tables } from './tables.ts';

type Noun = 'endpoints' | 'policies' | 'fleets' | 'inventory';
export type EndpointRoute = Extract<Route, `${string}/identity/${Noun}` | `${string}/identity/${Noun}/${string}`>;

/** `domain`: the API's own name, for which the private CA issues nothing. `reachable`: what was named at deployment. */
export function endpointRoutes(
  tables: Tables,
  { stamps, domain, reachable }: { readonly stamps: Stamps; readonly domain: string; readonly reachable: string },
): Record<EndpointRoute, RouteFunction> {
  const { principals, certificates, controls, endpoints } = tables.all;
  const on = (rows: readonly string[], ...actions: string[]) =>
    allow(
      actions.map((action) => `dynamodb:${action}`),
      [endpoints.tableArn],
      onlyRows(...rows),
    );
  const any = (...actions: string[]) =>
    allow(
      actions.map((action) => `dynamodb:${action}`),
      [endpoints.tableArn],
    );
  const byIndex = (...names: string[]) =>
    allow(
      ['dynamodb:Query'],
      names.map((name) => `${endpoints.tableArn}/index/${name}`),
    );
  const { policies, fleets, tokens } = endpointKeys;
  const { byListing, byExpiry, byFleet, byPolicy } = endpointIndexes;
  // What each change checks of its own caller, in the transaction that writes it.
  const callerStands = [
    allow(['dynamodb:ConditionCheckItem'], [principals.tableArn]),
    allow(['dynamodb:ConditionCheckItem'], [certificates.tableArn]),
    allow(['dynamodb:ConditionCheckItem'], [controls.tableArn], onlyRows(controlKeys.generations)),
  ];
  return {
    'PUT /api/v1/identity/endpoints/{endpoint_id}': {
      entry: 'endpoint/put-endpoint',
      does: 'makes or replaces an endpoint',
      stamps,
      environment: { DOMAIN_NAME: domain, REACHABLE: reachable },
      grants: [
        ...callerStands,
        any('GetItem', 'PutItem', 'UpdateItem'),
        on([policies, fleets], 'ConditionCheckItem'),
        allow(['dynamodb:GetItem'], [principals.tableArn]),
      ],
    },
    'GET /api/v1/identity/endpoints/{endpoint_id}': {
      entry: 'endpoint/get-endpoint',
      does: 'shows an endpoint',
      grants: [any('GetItem')],
    },
    'DELETE /api/v1/identity/endpoints/{endpoint_id}': {
      entry: 'endpoint/delete-endpoint',
      does: 'deletes an endpoint',
      stamps,
      grants: [...callerStands, any('GetItem', 'UpdateItem', 'DeleteItem')],
    },
    'GET /api/v1/identity/inventory': {
      entry: 'endpoint/list-inventory',
      does: 'lists endpoints, what they serve, and agents',
      grants: [any('BatchGetItem'), byIndex(byListing, byExpiry)],
    },
    'GET /api/v1/identity/policies': {
      entry: 'policy/list-policies',
      does: 'lists policies',
      grants: [on([policies], 'BatchGetItem'), byIndex(byListing)],
    },
    'PUT /api/v1/identity/policies/{policy_id}': {
      entry: 'policy/put-policy',
      does: 'makes or replaces a policy',
      stamps,
      grants: [...callerStands, on([policies], 'GetItem', 'PutItem', 'UpdateItem')],
    },
    'GET /api/v1/identity/policies/{policy_id}': {
      entry: 'policy/get-policy',
      does: 'shows a policy',
      grants: [on([policies], 'GetItem')],
    },
    'DELETE /api/v1/identity/policies/{policy_id}': {
      entry: 'policy/delete-policy',
      does: 'deletes a policy that no endpoint uses',
      stamps,
      grants: [...callerStands, on([policies], 'GetItem', 'UpdateItem', 'DeleteItem'), byIndex(byPolicy)],
    },
    'GET /api/v1/identity/fleets': {
      entry: 'fleet/list-fleets',
      does: 'lists fleets',
      grants: [on([fleets], 'BatchGetItem'), byIndex(byListing)],
    },
    'PUT /api/v1/identity/fleets/{fleet_id}': {
      entry: 'fleet/put-fleet',
      does: 'makes or replaces a fleet',
      stamps,
      grants: [...callerStands, on([fleets], 'GetItem', 'PutItem', 'UpdateItem')],
    },
    'GET /api/v1/identity/fleets/{fleet_id}': {
      entry: 'fleet/get-fleet',
      does: 'shows a fleet and its tokens',
      grants: [on([fleets], 'GetItem'), on([tokens], 'BatchGetItem'), byIndex(byListing)],
    },
    'DELETE /api/v1/identity/fleets/{fleet_id}': {
      entry: 'fleet/delete-fleet',
      does: 'deletes a fleet that no endpoint belongs to, and its tokens',
      stamps,
      grants: [
        ...callerStands,
        on([fleets, tokens], 'GetItem', 'UpdateItem', 'DeleteItem'),
        on([tokens], 'BatchGetItem'),
        byIndex(byFleet, byListing),
      ],
    },
    'POST /api/v1/identity/fleets/{fleet_id}/tokens': {
      entry: 'fleet/make-enrolment-token',
      does: 'makes an enrolment token',
      stamps,
      grants: [...callerStands, on([fleets], 'GetItem', 'ConditionCheckItem'), on([tokens], 'PutItem')],
    },
    'DELETE /api/v1/identity/fleets/{fleet_id}/tokens/{token_id}': {
      entry: 'fleet/revoke-enrolment-token',
      does: 'revokes an enrolment token',
      stamps,
      grants: [...callerStands, on([fleets, tokens], 'GetItem'), on([tokens], 'UpdateItem')],
    },
  };
}
