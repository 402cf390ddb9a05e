/** Every AWS call that a function or state machine made in the end-to-end run, against its own role: the emulator enforces none. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readCalls } from '../../local/calls.ts';
import { recordFolders } from '../e2e/record-roles.ts';
import { type IamRequest, isAllowed, policyDocument, type Statement, statementMatches } from './policy.ts';

const functions = z.object({
  Functions: z.array(
    z.object({
      FunctionName: z.string(),
      Role: z.string(),
      Environment: z.object({ Variables: z.record(z.string(), z.string()).default({}) }).default({ Variables: {} }),
    }),
  ),
});
const machines = z.array(z.object({ stateMachineArn: z.string(), roleArn: z.string() }));
const roles = z.object({
  RoleDetailList: z.array(
    z.object({
      Arn: z.string(),
      RolePolicyList: z.array(z.object({ PolicyDocument: policyDocument })),
      AttachedManagedPolicies: z.array(z.object({ PolicyName: z.string() })),
    }),
  ),
});

const parts = ['calls.jsonl', 'functions.json', 'state-machines.json', 'roles.json'];
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
    .replaceAll(/((?:truststore|headsbucket)[0-9a-f]{8})-?[0-9a-f]{13}/g, '$1')
    .replaceAll(/[-0-9A-F]{13,22}(?="|$)/g, '')
    .replaceAll(/(\/stream\/)[0-9TZ:.-]+/g, '$1label')
    .replaceAll(/mrk-[0-9a-f]{32}/g, 'mrk')
    .replaceAll(/(:stack\/[^/]+)\/[0-9a-f-]{36}/g, '$1');

/** A grant with one action and one resource, so that each is seen to be used. */
interface Grant {
  readonly owner: string;
  readonly statement: Statement;
}

/** Keys are known by what functions call them: one key's grant is no other's. */
const keyNames = (raw: unknown): ReadonlyMap<string, string> =>
  new Map(
    functions.parse(raw).Functions.flatMap(({ Environment }) =>
      Object.entries(Environment.Variables).flatMap(([name, value]): [string, string][] => {
        const key = /mrk-[0-9a-f]{32}/.exec(value)?.[0];
        return name.endsWith('_KEY_ID') && key !== undefined ? [[key, name]] : [];
      }),
    ),
  );

const readFolder = (folder: string) => {
  const text = (file: string): string => readFileSync(join(folder, file), 'utf8');
  const keys = keyNames(JSON.parse(text('functions.json')));
  const same = (content: string): string =>
    lasting(content.replaceAll(/mrk-[0-9a-f]{32}/g, (key) => keys.get(key) ?? key));
  const read = (file: string): unknown => JSON.parse(same(text(file)));
  const { RoleDetailList } = roles.parse(read('roles.json'));
  const { Functions } = functions.parse(read('functions.json'));
  const StateMachines = machines.parse(read('state-machines.json'));
  const asked = readCalls(join(folder, 'calls.jsonl')).flatMap((call) =>
    call.checks.map((check): { owner: string; request: IamRequest } => ({
      owner: same(call.function ?? call.state_machine ?? 'unknown'),
      request: { ...check, resource: same(check.resource) },
    })),
  );
  return { RoleDetailList, Functions, StateMachines, asked };
};

describe.skipIf(!recorded)('what the functions asked of AWS', () => {
  const all = recorded ? folders.map(readFolder) : [];
  const RoleDetailList = all.flatMap((one) => one.RoleDetailList);
  const byRole = new Map(
    RoleDetailList.map((role) => [role.Arn, role.RolePolicyList.flatMap((policy) => policy.PolicyDocument.Statement)]),
  );
  const statementsOf = new Map(
    all.flatMap(({ Functions, StateMachines }) => [
      ...Functions.map((made) => [made.FunctionName, byRole.get(made.Role) ?? []] as const),
      ...StateMachines.map((made) => [made.stateMachineArn, byRole.get(made.roleArn) ?? []] as const),
    ]),
  );
  // Keys of a first deployment that was rolled back are known by nobody; the one after it made the same calls.
  const asked = all.flatMap((one) => one.asked).filter(({ request }) => !request.resource.endsWith(':key/mrk'));

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
