/** Policies as tests need them. */
import { completePolicy, type Policy, type PolicyInput } from '../../src/renewal/policy.ts';

/** The `47-day` preset with what is said otherwise. */
export const policyWith = (input: PolicyInput = {}): Policy =>
  completePolicy({ preset: '47-day', ...input }, Date.parse('2026-11-23')).policy;

export const acme = { kind: 'acme', directory: 'https://acme.example.com/dir', account: 'default' } as const;
