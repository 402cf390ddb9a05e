/**
 * What is changed outside the tables, as CloudTrail tells it through EventBridge: who did it is known there. Of a call
 * only its name, its caller and the deployment's own resources are kept; its parameters may hold secrets. IAM's events
 * come to us-east-1 only: a deployment elsewhere hears of changed roles by a rule there that forwards them.
 */
import { z } from 'zod';
import { headsPrefix } from '../names.ts';
import type { Draft } from './entry.ts';
import { foundActions } from './found-actions.ts';
import { type Own, type OwnResources, ownResources } from './own-resources.ts';

const record = z.record(z.string(), z.unknown()).nullish().catch(null);
const text = z.string().optional().catch(undefined);

/** Fields that this reads, and no others; all but the first are missing in one kind of record or another. */
const detailSchema = z.object({
  eventID: z.string().min(1),
  eventName: z.string(),
  eventSource: z.string(),
  eventTime: z.iso.datetime({ offset: true }),
  awsRegion: z.string(),
  recipientAccountId: text,
  requestID: text,
  sourceIPAddress: text,
  errorCode: text,
  readOnly: z.boolean().optional().catch(undefined),
  managementEvent: z.boolean().optional().catch(undefined),
  eventCategory: text,
  userIdentity: z
    .object({
      type: text,
      arn: text,
      accountId: text,
      invokedBy: text,
      sessionContext: z
        .object({ sessionIssuer: z.object({ type: text, userName: text, accountId: text }).optional() })
        .optional()
        .catch(undefined),
    })
    .catch({}),
  requestParameters: record,
  responseElements: record,
  resources: z
    .array(z.object({ ARN: text }))
    .nullish()
    .catch(null),
});
type Call = z.infer<typeof detailSchema>;

const eventSchema = z.object({
  'detail-type': z.literal('AWS API Call via CloudTrail'),
  account: text,
  detail: detailSchema,
});

const cloudFormation = 'cloudformation.amazonaws.com';
/** Of anything that a caller may have made long. */
const mostCharacters = 2_048;
const cut = (value: string): string => value.slice(0, mostCharacters);

/** Records of before 2015 say nothing of it, and some services still leave it out. */
const reads = ({ readOnly, eventName }: Call): boolean =>
  readOnly ?? /^(Get|List|Describe|Head|BatchGet|Lookup|Query|Search)/.test(eventName);

/** What is done with rows, items and functions is not a change of the table or the function; of S3 the objects count too. */
const isData = ({ eventCategory, managementEvent, eventSource }: Call): boolean =>
  (eventCategory === 'Data' || managementEvent === false) && eventSource !== 's3.amazonaws.com';

const byOwnRole = ({ writerRoles }: Own, { userIdentity, recipientAccountId }: Call): boolean => {
  const issuer = userIdentity.sessionContext?.sessionIssuer;
  return (
    userIdentity.type === 'AssumedRole' &&
    issuer?.type === 'Role' &&
    issuer.userName !== undefined &&
    writerRoles.includes(issuer.userName) &&
    // Another account may have a role of that name.
    issuer.accountId === recipientAccountId
  );
};

const byDeployment = ({ userIdentity, sourceIPAddress }: Call): boolean =>
  userIdentity.invokedBy === cloudFormation || sourceIPAddress === cloudFormation;

const actionOf = (own: Own, call: Call, { action }: OwnResources): string => {
  if (action === null) return foundActions.outOfBand;
  if (byDeployment(call)) return foundActions.deployed;
  return byOwnRole(own, call) ? action : foundActions.outOfBand;
};

/** An entry on each head that is written would want a head of its own. */
const isHead = (own: Own, call: Call): boolean =>
  call.eventName === 'PutObject' &&
  call.requestParameters?.bucketName === own.headsBucket &&
  String(call.requestParameters.key).startsWith(headsPrefix) &&
  byOwnRole(own, call);

/**
 * The entry that an event makes; null for calls that failed, that only read, or that changed nothing of the deployment.
 * Changes by the deployment's own roles have the action's name, those by CloudFormation are `deployed`, all others
 * `out_of_band`. @throws ZodError when the event is none of CloudTrail's
 */
export const outsideChange = (own: Own, event: unknown): Draft | null => {
  const { account, detail: call } = eventSchema.parse(event);
  if (call.errorCode !== undefined || reads(call) || isData(call) || isHead(own, call)) return null;
  const found = ownResources(own, {
    source: call.eventSource,
    eventName: call.eventName,
    region: call.awsRegion,
    account: call.recipientAccountId ?? account ?? '',
    request: call.requestParameters ?? {},
    response: call.responseElements ?? {},
    resources: (call.resources ?? []).flatMap(({ ARN }) => ARN ?? []),
  });
  if (found === null) return null;
  const { type, arn, invokedBy, accountId } = call.userIdentity;
  const [first, ...others] = found.arns;
  return {
    event_ids: [`cloudtrail:${call.eventID}`],
    time: Date.parse(call.eventTime),
    action: actionOf(own, call, found),
    actor: cut(arn ?? invokedBy ?? accountId ?? 'unknown'),
    request_id: call.requestID ?? null,
    subject: cut(others.length === 0 ? first : `${first.slice(0, first.lastIndexOf('/') + 1)}*`),
    details: {
      event: cut(call.eventName),
      source: cut(call.eventSource),
      region: cut(call.awsRegion),
      resources: found.arns.map(cut),
      ...(type === undefined ? {} : { user_type: cut(type) }),
      ...(invokedBy === undefined ? {} : { invoked_by: cut(invokedBy) }),
      ...(call.sourceIPAddress === undefined ? {} : { source_ip: cut(call.sourceIPAddress) }),
    },
  };
};
