/** Every AWS call that a function made in the end-to-end run, against that function's own role: the emulator enforces none. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readCalls } from '../../local/calls.ts';
import { stateDir } from '../e2e/global-setup.ts';
import { type IamRequest, isAllowed, policyDocument, type Statement, statementMatches } from './policy.ts';

const functions = z.object({ Functions: z.array(z.object({ FunctionName: z.string(), Role: z.string() })) });
const roles = z.object({
  RoleDetailList: z.array(
    z.object({
      Arn: z.string(),
      RolePolicyList: z.array(z.object({ PolicyDocument: policyDocument })),
      AttachedManagedPolicies: z.array(z.object({ PolicyName: z.string() })),
    }),
  ),
});

const read = (file: string): unknown => JSON.parse(readFileSync(join(stateDir, file), 'utf8'));

const recorded = existsSync(join(stateDir, 'calls.jsonl')) && existsSync(join(stateDir, 'roles.json'));
if (!recorded && process.env.CI === 'true') throw new Error('no end-to-end run left its calls');

/** A grant with one action and one resource, so that each is seen to be used. */
interface Grant {
  readonly owner: string;
  readonly statement: Statement;
}

describe.skipIf(!recorded)('what the functions asked of AWS', () => {
  const { RoleDetailList } = roles.parse(read('roles.json'));
  const byRole = new Map(
    RoleDetailList.map((role) => [role.Arn, role.RolePolicyList.flatMap((policy) => policy.PolicyDocument.Statement)]),
  );
  const statementsOf = new Map(
    functions.parse(read('functions.json')).Functions.map((one) => [one.FunctionName, byRole.get(one.Role) ?? []]),
  );
  const calls = readCalls(join(stateDir, 'calls.jsonl'));
  const asked = calls.flatMap((call) =>
    call.checks.map((check): { owner: string; request: IamRequest } => ({
      owner: call.function ?? call.state_machine ?? 'unknown',
      request: check,
    })),
  );

  test('something was recorded, of most functions', () => {
    expect(asked.length).toBeGreaterThan(100);
    expect(new Set(asked.map(({ owner }) => owner)).size).toBeGreaterThan(10);
  });

  test('each role says all that it grants in policies of its own', () => {
    for (const { Arn, AttachedManagedPolicies } of RoleDetailList)
      if (Arn.includes('Identity')) expect(AttachedManagedPolicies, Arn).toEqual([]);
  });

  test('each call is allowed by the role of the function that made it', () => {
    const refused = asked
      .filter(({ owner, request }) => !isAllowed(statementsOf.get(owner) ?? [], request))
      .map(
        ({ owner, request }) => `${owner}: ${request.action} on ${request.resource} ${JSON.stringify(request.context)}`,
      );
    expect([...new Set(refused)]).toEqual([]);
  });

  test('grants that no test used are listed', () => {
    const grants: Grant[] = [...statementsOf].flatMap(([owner, statements]) =>
      statements.flatMap((statement) =>
        statement.Action.filter((action) => !action.startsWith('logs:')).flatMap((action) =>
          statement.Resource.map((resource) => ({
            owner,
            statement: { ...statement, Action: [action], Resource: [resource] },
          })),
        ),
      ),
    );
    const unused = grants.filter(
      ({ owner, statement }) => !asked.some((one) => one.owner === owner && statementMatches(statement, one.request)),
    );
    for (const { owner, statement } of unused)
      console.log(`not used by any test: ${owner}: ${statement.Action} on ${statement.Resource}`);
    expect(unused.length).toBeLessThan(grants.length / 2);
  });
});
