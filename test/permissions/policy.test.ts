import { describe, expect, test } from 'vitest';
import { type IamRequest, isAllowed, policyDocument, type Statement } from './policy.ts';

const parse = (...statements: unknown[]): Statement[] =>
  policyDocument.parse({ Version: '2012-10-17', Statement: statements }).Statement;

const read: IamRequest = {
  action: 'dynamodb:BatchGetItem',
  resource: 'arn:aws:dynamodb:eu-west-1:1:table/x_dev_controls',
  context: { 'dynamodb:LeadingKeys': ['generation#3'] },
};
const allow = { Effect: 'Allow', Action: 'dynamodb:BatchGetItem', Resource: read.resource };

describe('the policy evaluation that the permission check relies on', () => {
  test('allows what a statement names and nothing beside it', () => {
    expect(isAllowed(parse(allow), read)).toBe(true);
    expect(isAllowed(parse(allow), { ...read, action: 'dynamodb:GetItem' })).toBe(false);
    expect(isAllowed(parse(allow), { ...read, resource: `${read.resource}2` })).toBe(false);
    expect(isAllowed(parse({ ...allow, Resource: 'arn:aws:dynamodb:*:*:table/x_dev_controlsX' }), read)).toBe(false);
  });

  test('holds a condition against every value of the request', () => {
    const bounded = parse({
      ...allow,
      Condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['generation#*'] } },
    });
    expect(isAllowed(bounded, read)).toBe(true);
    const both = { ...read, context: { 'dynamodb:LeadingKeys': ['generation#3', 'admins'] } };
    expect(isAllowed(bounded, both)).toBe(false);
  });

  test('a single-valued condition fails when the request does not carry its key', () => {
    const signed = parse({ ...allow, Condition: { StringEquals: { 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } } });
    expect(isAllowed(signed, read)).toBe(false);
  });

  test('a denial wins over any allow', () => {
    expect(isAllowed(parse(allow, { ...allow, Effect: 'Deny' }), read)).toBe(false);
  });

  test('refuses to guess at an operator it does not know', () => {
    const odd = parse({ ...allow, Condition: { NumericLessThan: { x: '1' } } });
    expect(() => isAllowed(odd, read)).toThrow(/NumericLessThan/);
  });
});
