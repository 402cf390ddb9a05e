/** cdk-nag's AwsSolutions rules find nothing that is not argued where it is made. */
import { Validations } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, test } from 'vitest';
import { EverleafStack } from '../../lib/stack.ts';
import { config, newApp } from './synth.ts';

const checked = () => {
  const app = newApp();
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return { app, stack: new EverleafStack(app, 'Everleaf', config) };
};

test('the stack has no findings', () => {
  expect(() => checked().app.synth()).not.toThrow();
});

test('and would have them', () => {
  const { app, stack } = checked();
  new Bucket(stack, 'Careless');
  expect(() => app.synth()).toThrow(/AwsSolutions-S10/);
});
