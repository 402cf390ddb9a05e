/** The CDK application: one stack, named by the context. */
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readConfig } from '../lib/config.ts';
import { EverleafStack } from '../lib/stack.ts';

const app = new App();
new EverleafStack(app, 'Everleaf', readConfig(app.node));
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
