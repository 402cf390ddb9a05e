/** What bootstrap asks of AWS, against the emulator. */
import { ACMClient, ImportCertificateCommand } from '@aws-sdk/client-acm';
import { CloudFormationClient, CreateStackCommand, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { expect, it, vi } from 'vitest';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import { openOperator } from '../../src/aws/operator.ts';
import { findDeployment } from '../../src/cli/deployment.ts';
import { readCertificates } from '../../src/cli/trust-bundle.ts';
import { makeAuthority } from '../cli/authority.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment } from '../principal/deployment.ts';

describeWithEmulator('an operator with AWS credentials', (emulator) => {
  const open = () => {
    for (const [name, value] of Object.entries(emulator.env)) vi.stubEnv(name, value);
    return openOperator(emulator.region);
  };

  it('finds the deployed stack by what its outputs say', async () => {
    const name = `s${Date.now().toString(36)}`;
    const client = emulator.client(CloudFormationClient);
    const outputs = { Name: name, Environment: 'prod', Domain: `${name}.example.com`, DomainCertificateArn: 'arn:x' };
    const TemplateBody = JSON.stringify({
      Resources: { Topic: { Type: 'AWS::SNS::Topic' } },
      Outputs: Object.fromEntries(Object.entries(outputs).map(([key, Value]) => [key, { Value }])),
    });
    await client.send(new CreateStackCommand({ StackName: `${name}-prod`, TemplateBody }));
    await vi.waitFor(async () => {
      const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: `${name}-prod` }));
      expect(Stacks?.[0]?.StackStatus).toBe('CREATE_COMPLETE');
    });
    const stacks = await open().listStacks();
    const wanted = { environment: 'prod', domain: `${name}.example.com` };
    expect(findDeployment(stacks, wanted)).toEqual({ name, ...wanted, certificateArn: 'arn:x' });
  });

  it('reads the chain that the domain serves', async () => {
    const root = await makeAuthority('CN=Root');
    const issuer = await root.delegate('CN=Issuer');
    const key = makeKey();
    const leaf = await issuer.issue(key, 'CN=leaf', { names: ['api.example.com'] });
    const { CertificateArn = '' } = await emulator.client(ACMClient).send(
      new ImportCertificateCommand({
        Certificate: Buffer.from(leaf.pem),
        PrivateKey: Buffer.from(writeKey(key)),
        CertificateChain: Buffer.from(issuer.pem + root.pem),
      }),
    );
    const chain = readCertificates(await open().readDomainCertificate(CertificateArn));
    expect(chain.map(({ subject }) => subject)).toEqual(['CN=leaf', 'CN=Issuer', 'CN=Root']);
  });

  it('reads parameters, decrypted, and says which are missing; knows whether a principal exists', async () => {
    const d = await makeDeployment(emulator);
    const Name = `/${d.deployment.name}/dev/server-key`;
    await emulator.client(SSMClient).send(new PutParameterCommand({ Name, Value: 'k', Type: 'SecureString' }));
    await d.enrol('admin-bootstrap', 'admin');
    const operator = open();
    expect(await operator.readParameter(d.deployment, 'server-key')).toBe('k');
    expect(await operator.readParameter(d.deployment, 'ca-cert')).toBeNull();
    expect(await operator.hasPrincipal(d.deployment, 'admin-bootstrap')).toBe(true);
    expect(await operator.hasPrincipal(d.deployment, 'admin-emergency')).toBe(false);
  });
});
