/** Renewal and enrolment as constructs: what each function may touch, and that the state machine and its functions fit. */
import { Duration, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Authority } from '../../lib/authority.ts';
import { Enrolment } from '../../lib/enrolment.ts';
import { addFunction } from '../../lib/function.ts';
import { Renewal } from '../../lib/renewal.ts';
import { renewalRoutes } from '../../lib/renewal-routes.ts';
import { Stamps } from '../../lib/stamps.ts';
import { Tables } from '../../lib/tables.ts';
import { definition } from '../renewal/machine.ts';
import { config, grantsOf, named, newApp, ofType, statementsOf, templateOf } from './synth.ts';

const build = () => {
  const app = newApp();
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const stack = new Stack(app, 'Renewals');
  const { domain } = config;
  const tables = new Tables(stack, 'Tables', config);
  const stamps = new Stamps(stack, 'Stamps', config);
  new Authority(stack, 'Authority', { deployment: config, domain, tables, stamps });
  const renewal = new Renewal(stack, 'Renewal', { deployment: config, tables, stamps, reachable: '10.0.0.0/8' });
  new Enrolment(stack, 'Enrolment', { deployment: config, domain, tables, stamps });
  for (const route of Object.values(renewalRoutes(renewal, { deployment: config, tables, stamps, domain })))
    addFunction(stack, config, { ...route, description: route.does, timeout: Duration.seconds(25) });
  return { app, stack };
};
const { app, stack } = build();
const template = templateOf(app, stack);
const functions = ofType(template, 'AWS::Lambda::Function');
const roleSchema = z.object({ 'Fn::GetAtt': z.tuple([z.string(), z.literal('Arn')]) });
/** Everything that a function may do, as text. */
const mayDo = ({ Properties }: (typeof functions)[number][1]): string =>
  JSON.stringify(grantsOf(template, roleSchema.parse(Properties.Role)['Fn::GetAtt'][0]));
const grants = (name: string) => {
  const [, { Properties }] = named(template, 'AWS::IAM::Policy', name);
  return statementsOf(Properties.PolicyDocument);
};
const actionsOf = (name: string) => grants(name).flatMap(({ Action }) => Action);

test('cdk-nag finds nothing that is not argued', () => {
  expect(() => app.synth()).not.toThrow();
});

describe('the state machine', () => {
  const [, machine] = named(template, 'AWS::StepFunctions::StateMachine', 'RenewCertificate');
  test('is named as the contract has it, and is the file itself with functions in the places of their names', () => {
    expect(machine.Properties.StateMachineName).toBe('airunner-prod-renew-certificate');
    const substitutions = z.record(z.string(), z.unknown()).parse(machine.Properties.DefinitionSubstitutions);
    const tasks = Object.entries(definition.States).flatMap(([name, { Type }]) =>
      Type === 'Task' ? [`${name}Arn`] : [],
    );
    expect(Object.keys(substitutions).sort()).toEqual(tasks.sort());
    for (const task of tasks) expect(JSON.stringify(substitutions[task])).toContain(task.slice(0, -'Arn'.length));
  });
  test('catches whatever a step throws, and repeats what passes', () => {
    for (const [name, state] of Object.entries(definition.States)) {
      if (state.Type !== 'Task') continue;
      expect(
        state.Retry.flatMap(({ ErrorEquals }) => ErrorEquals),
        name,
      ).toContain('Lambda.TooManyRequestsException');
      if (name !== 'FailRenewal')
        expect(state.Catch, name).toMatchObject([{ ErrorEquals: ['States.ALL'], Next: 'FailRenewal' }]);
    }
  });
  test('waits for nobody without an end', () => {
    for (const [name, state] of Object.entries(definition.States)) {
      if (state.Type !== 'Task') continue;
      const waits = state.Resource.endsWith('.waitForTaskToken');
      if (waits) expect([state.TimeoutSecondsPath, state.HeartbeatSecondsPath], name).not.toContain(undefined);
      else expect(state.TimeoutSeconds, name).toBeGreaterThan(0);
    }
  });
});

test('only the functions that issue and enrol may ask the signer', () => {
  const asking = functions.filter(([, one]) => mayDo(one).includes('sign-certificate'));
  expect(asking.map(([id]) => id.replace(/[0-9A-F]{8}$/, ''))).toEqual(
    expect.arrayContaining(['RenewalIssueCertificate', 'EnrolmentEnroll']),
  );
  for (const [id] of asking) expect(id).toMatch(/^(?:Renewal|RenewalIssueCertificate|Enrolment|Authority)/);
});

test('no function may use the authority’s key, delete a row, or write an entry of the audit', () => {
  let looked = 0;
  for (const [id, one] of functions) {
    if (!/^(?:Renewal|Enrolment|RunRenewals|Take|Rollback|List|Get)/.test(id)) continue;
    const all = mayDo(one);
    expect(all, id).toContain('dynamodb:');
    expect(all, id).not.toMatch(/kms:Sign|DeleteItem|Scan/);
    expect(all, id).not.toContain('Audit');
    looked += 1;
  }
  expect(looked).toBe(15);
});

test('who enrols can make principals and change none', () => {
  const all = grants('EnrolmentEnroll').filter(({ Resource }) => JSON.stringify(Resource).includes('Principals'));
  expect(all.flatMap(({ Action }) => Action)).toEqual(['dynamodb:GetItem', 'dynamodb:PutItem']);
});

test('steps tell the state machine no more than that they are done', () => {
  for (const name of ['RequestCsr', 'DeployCertificate', 'ValidateEndpoint', 'RestorePrevious'])
    expect(
      actionsOf(name).filter((action) => action.startsWith('states:')),
      name,
    ).toEqual(['states:SendTaskSuccess']);
  for (const name of ['StartChallenge', 'FinishRenewal', 'FailRenewal'])
    expect(
      actionsOf(name).filter((action) => action.startsWith('states:')),
      name,
    ).toEqual([]);
});

test('enrolment asks for no certificate, and is throttled', () => {
  const methods = ofType(template, 'AWS::ApiGateway::Method');
  expect(methods.map(([, { Properties }]) => [Properties.HttpMethod, Properties.AuthorizationType])).toEqual([
    ['POST', 'NONE'],
  ]);
  const [, stage] = named(template, 'AWS::ApiGateway::Stage', 'live');
  expect(stage.Properties.MethodSettings).toMatchObject([
    { ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20, DataTraceEnabled: false },
  ]);
});
