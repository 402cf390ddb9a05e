/** Every AWS call that a function made in the end-to-end run, against that function's own role: the emulator enforces none. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readCalls } from '../../local/calls.ts';
import { recordFolders } from '../e2e/record-roles.ts';
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

const parts = ['calls.jsonl', 'functions.json', 'roles.json'];
const folders = Object.values(recordFolders);
const recorded = folders.every((folder) => parts.every((file) => existsSync(join(folder, file))));
if (!recorded && process.env.CI === 'true') throw new Error('no end-to-end run left its calls');

const unusedGrants = join(import.meta.dirname, 'unused-grants.txt');
const heading =
  '# Grants that no end-to-end test uses. Renew: EVERLEAF_WRITE_UNUSED_GRANTS=1 npx vitest run --project e2e --project permissions';

/** Without what differs from one creation to the next, so that a role made again, or in a second stack, is the same role. */
const lasting = (text: string): string =>
  text
    .replaceAll('airsecond', 'airunner')
    // Before the next, which would take more of a bucket's name where its last part happens to be digits alone.
    .replaceAll(/(truststore[0-9a-f]{8})-?[0-9a-f]{13}/g, '$1')
    .replaceAll(/[-0-9A-F]{13,22}(?="|$)/g, '')
    .replaceAll(/mrk-[0-9a-f]{32}/g, 'mrk')
    .replaceAll(/(:stack\/[^/]+)\/[0-9a-f-]{36}/g, '$1');

/** A grant with one action and one resource, so that each is seen to be used. */
interface Grant {
  readonly owner: string;
  readonly statement: Statement;
}

const readFolder = (folder: string) => {
  const read = (file: string): unknown => JSON.parse(lasting(readFileSync(join(folder, file), 'utf8')));
  const { RoleDetailList } = roles.parse(read('roles.json'));
  const { Functions } = functions.parse(read('functions.json'));
  return { RoleDetailList, Functions, calls: readCalls(join(folder, 'calls.jsonl')) };
};

describe.skipIf(!recorded)('what the functions asked of AWS', () => {
  const all = recorded ? folders.map(readFolder) : [];
  const RoleDetailList = all.flatMap((one) => one.RoleDetailList);
  const byRole = new Map(
    RoleDetailList.map((role) => [role.Arn, role.RolePolicyList.flatMap((policy) => policy.PolicyDocument.Statement)]),
  );
  const statementsOf = new Map(
    all.flatMap((one) => one.Functions.map((made) => [made.FunctionName, byRole.get(made.Role) ?? []])),
  );
  const calls = all.flatMap((one) => one.calls);
  const asked = calls.flatMap((call) =>
    call.checks.map((check): { owner: string; request: IamRequest } => ({
      owner: lasting(call.function ?? call.state_machine ?? 'unknown'),
      request: { ...check, resource: lasting(check.resource) },
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

  test('grants that no test used are the ones listed, so that none comes or goes unseen', () => {
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
    const unused = grants
      .filter(
        ({ owner, statement }) => !asked.some((one) => one.owner === owner && statementMatches(statement, one.request)),
      )
      .map(({ owner, statement }) => `${owner}: ${statement.Action} on ${statement.Resource}`);
    const lines = [...new Set(unused)].sort();
    if (process.env.EVERLEAF_WRITE_UNUSED_GRANTS === '1')
      writeFileSync(unusedGrants, `${[heading, ...lines].join('\n')}\n`);
    const listed = readFileSync(unusedGrants, 'utf8').trimEnd().split('\n').slice(1);
    expect(lines).toEqual(listed);
  });
});
