/** The gate's one read: principal, certificate and a copy of the generation in one strongly consistent BatchGetItem. */
import { Unavailable } from '../errors.ts';
import { controlKeys, type Deployment, generationCopies, type Table, tableName } from '../names.ts';
import type { Item, Records } from './decide.ts';
import type { Send } from './send-request.ts';

/**
 * Reads what a decision needs; the principal only where there is an id to look for.
 *
 * @throws Unavailable where DynamoDB did not answer in time, or not completely: what could not be read is never taken
 * for missing.
 */
export type ReadRecords = (principalId: string | undefined, serialNumber: string) => Promise<Records>;

/** For everything: both attempts, the retry of unprocessed keys, the pauses; milliseconds. */
const deadline = 2_000;
/** A connection that died unnoticed while the function was frozen must leave time for another; milliseconds. */
const firstAttempt = 1_000;
/** Before anything is asked again; milliseconds, jittered. */
const pause = 50;

/** What a decision reads of each item, the key first. The certificate's PEM stays where it is. */
const attributes = {
  principals: 'principal_id status type suspended_reason',
  certificates: 'serial_number principal_id fingerprint generation expires_at revoked revocation_reason',
  controls: 'control_id generation reason exempt_serials',
} as const satisfies Partial<Record<Table, string>>;

/** DynamoDB's error codes of status 400 that pass by themselves. */
const passing = /Throttl|ThroughputExceeded|RequestLimitExceeded/;

const isObject = (value: unknown): value is Item =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Question {
  readonly table: string;
  readonly json: string;
  /** The item among those answered for the table; undefined: none. @throws for an answer to another question. */
  readonly pick: (items: unknown) => Item | undefined;
}

/** Asks one table for one item. Every name is aliased: some are reserved words. */
const questioner = (deployment: Deployment, source: keyof typeof attributes) => {
  const table = tableName(deployment, source);
  const names = attributes[source].split(' ');
  const [key = ''] = names;
  const aliases = names.map((_, index) => `#${index}`);
  const rest = JSON.stringify({
    ConsistentRead: true,
    ProjectionExpression: aliases.join(),
    ExpressionAttributeNames: Object.fromEntries(names.map((name, index) => [`#${index}`, name])),
  });
  return (id: string): Question => ({
    table,
    json: `"${table}":{"Keys":[{"${key}":{"S":${JSON.stringify(id)}}}],${rest.slice(1)}`,
    pick: (items = []) => {
      const [item, ...others] = Array.isArray(items) ? items : [null, null];
      if (item === undefined) return undefined;
      const found = isObject(item) && item[key];
      if (others.length || !isObject(found) || found.S !== id) throw new Unavailable('answer not understood');
      return item;
    },
  });
};

/** `random`, 0 to 1, spreads the reads of the generation over its copies. */
export const recordReader = (deployment: Deployment, send: Send, random = Math.random): ReadRecords => {
  const principal = questioner(deployment, 'principals');
  const certificate = questioner(deployment, 'certificates');
  const control = questioner(deployment, 'controls');
  const wait = () => new Promise((resolve) => setTimeout(resolve, pause * random()));

  return async (principalId, serialNumber) => {
    const start = performance.now();
    let repeats = 1;

    const ask = async (questions: readonly Question[]): Promise<Item> => {
      const body = `{"RequestItems":{${questions.map(({ json }) => json)}}}`;
      for (let fresh = false; ; fresh = true) {
        const left = start + deadline - performance.now();
        let cause: string;
        try {
          const { status, text } = await send(body, repeats ? Math.min(left, firstAttempt) : left, fresh);
          if (status === 200) {
            const answer: unknown = JSON.parse(text);
            return isObject(answer) ? answer : {};
          }
          cause = `answered ${status} ${text.slice(0, 200)}`;
          if (status < 500 && !passing.test(cause)) repeats = 0;
        } catch (error) {
          cause = String(error);
          if (error instanceof SyntaxError) repeats = 0;
        }
        if (!repeats--) throw new Unavailable(cause);
        await wait();
      }
    };

    const generation = control(controlKeys.generation(Math.floor(random() * generationCopies)));
    const row = certificate(serialNumber);
    const subject = principalId === undefined ? undefined : principal(principalId);
    const found = new Map<Question | undefined, Item | undefined>();

    let missing = subject ? [subject, row, generation] : [row, generation];
    for (let again = 0; missing.length; again++) {
      if (again > 1) throw new Unavailable('keys left unprocessed');
      if (again) await wait();
      const { Responses, UnprocessedKeys = {} } = await ask(missing);
      if (!isObject(Responses) || !isObject(UnprocessedKeys)) throw new Unavailable('answer not understood');
      missing = missing.filter((question) => {
        if (Object.hasOwn(UnprocessedKeys, question.table)) return true;
        found.set(question, question.pick(Responses[question.table]));
        return false;
      });
    }
    return { principal: found.get(subject), certificate: found.get(row), generation: found.get(generation) };
  };
};
