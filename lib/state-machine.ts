/** A state machine from its file, which stays readable in the template, with a role that invokes its own functions and nothing else. */
import { readFileSync } from 'node:fs';
import { Validations } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { DefinitionBody, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { type Deployment, type StateMachine as Name, stateMachineName } from '../src/names.ts';
import { allow } from './function.ts';

/** `runs`: each function under the name of its state, `FooBar`, which the file calls `${FooBarArn}`. */
export function addStateMachine(
  scope: Construct,
  deployment: Deployment,
  { name, does, runs }: { name: Name; does: string; runs: Readonly<Record<string, IFunction>> },
): StateMachine {
  const id = name.replace(/(^|-)([a-z])/g, (_, _hyphen: string, letter: string) => letter.toUpperCase());
  const definition = readFileSync(new URL(`../state-machines/${name}.asl.json`, import.meta.url), 'utf8');
  const arns = Object.entries(runs).map(([state, fn]) => [`${state}Arn`, fn.functionArn] as const);
  const named = [...new Set([...definition.matchAll(/\$\{(\w+)\}/g)].map(([, word = '']) => word))].sort();
  const given = arns.map(([word]) => word).sort();
  if (named.join() !== given.join())
    throw new Error(`${name}.asl.json names ${named.join(', ')}; it is given ${given.join(', ')}`);

  const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('states.amazonaws.com') });
  role.addToPolicy(
    allow(
      ['lambda:InvokeFunction'],
      arns.map(([, arn]) => arn),
    ),
  );
  const machine = new StateMachine(scope, id, {
    stateMachineName: stateMachineName(deployment, name),
    comment: does,
    definitionBody: DefinitionBody.fromString(definition),
    definitionSubstitutions: Object.fromEntries(arns),
    role,
  });
  Validations.of(machine).acknowledge(
    {
      id: 'AwsSolutions-SF1',
      reason:
        'Each execution keeps its whole history for 90 days, each function logs what it did, and log delivery needs account-wide permissions on all log groups.',
    },
    {
      id: 'AwsSolutions-SF2',
      reason: 'The history of an execution has the time of each step; there is nothing else to trace.',
    },
  );
  return machine;
}
