import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowAnswer, denyAnswer, stageResource } from '../../src/access/answer.ts';
import { cleanReason } from '../../src/access/reason.ts';

const stage = 'arn:aws:execute-api:ap-southeast-2:123456789012:abc123/prod';
const allow = {
  outcome: 'allow',
  principal_id: 'worker-prod-01',
  principal_type: 'worker',
  serial_number: '0193',
  generation: 3,
} as const;

describe('what a decision covers', () => {
  it.each(['/GET/', '/POST/job.v1.JobService/ListJobs', '/GET/*', '/GET/a?b=*', '/DELETE/../../*/*', '/'])(
    'is the whole stage, and no letter of the path %s',
    (path) => {
      expect(stageResource(stage + path)).toBe(`${stage}/*`);
    },
  );

  it.each([undefined, null, 7, '', 'arn:aws:lambda:x', stage, 'arn:*/*/GET/', 'arn:aws:execute-api:x:1:a?c/prod/GET/'])(
    'is nothing for %j',
    (arn) => {
      expect(() => stageResource(arn)).toThrow('not the ARN');
    },
  );
});

describe('an allow', () => {
  it('hands on who calls, as strings', () => {
    expect(allowAnswer(`${stage}/*`, allow)).toEqual({
      principalId: 'worker-prod-01',
      policyDocument: {
        Version: '2012-10-17',
        Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: `${stage}/*` }],
      },
      context: {
        principal_id: 'worker-prod-01',
        principal_type: 'worker',
        serial_number: '0193',
        generation: '3',
      },
    });
  });
});

describe('a denial', () => {
  /** The gateway response's template substitutes raw text. */
  const body = (message: string): unknown =>
    JSON.parse(`{"message": ${denyAnswer(`${stage}/*`, message).context?.reason}}`);

  it('denies the whole stage and allows nothing', () => {
    const { policyDocument } = denyAnswer(`${stage}/*`, 'certificate expired');
    expect(policyDocument.Statement).toEqual([
      { Action: 'execute-api:Invoke', Effect: 'Deny', Resource: `${stage}/*` },
    ]);
  });

  it.each([
    'principal suspended: say "no" \\ \\" {"message": 1}',
    'a\nb',
    '$context.authorizer.principal_id $& $1',
    'é😀',
  ])('stays valid JSON that says %j', (message) => {
    expect(body(message)).toEqual({ message });
    expect(denyAnswer(`${stage}/*`, message).context?.reason).toMatch(/^"[ -#%-~]*"$/);
  });

  it('of any reason is one valid message of at most 256 characters, far below the gateway’s 8 KB', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 600 }), fc.string({ maxLength: 600 })), (raw) => {
        const reason = cleanReason(raw);
        expect(body(reason)).toEqual({ message: reason });
        expect([...reason].length).toBeLessThanOrEqual(256);
        expect(reason).not.toMatch(/\p{Cc}|\p{Cs}/u);
        expect(reason).not.toBe('');
      }),
      { numRuns: 2_000 },
    );
    for (const nasty of ['"', '\\', '😀', '\u2029', '\ud800', '$', '\u0001']) {
      const answer = denyAnswer(
        `${stage}/*`,
        `certificate revoked by emergency: ${cleanReason(nasty.repeat(400_000))}`,
      );
      expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(5_000);
    }
  });
});
