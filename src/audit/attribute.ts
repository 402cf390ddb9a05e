/** DynamoDB attribute values in one form, whoever wrote them down: what the product sends and what a stream tells. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';

export type { AttributeValue };
export type Image = Readonly<Record<string, AttributeValue>>;

/** What the document client makes of JavaScript values; undefined ones are left out. */
export const toImage = (values: Readonly<Record<string, unknown>>): Image =>
  marshall(values, { removeUndefinedValues: true });

/**
 * DynamoDB writes a number without leading or trailing zeros and without an exponent; JavaScript does not always. Exact:
 * DynamoDB keeps 38 digits, of which a JavaScript number would lose more than half.
 */
const canonicalNumber = (digits: string): string => {
  const [, minus, whole = '', fraction = '', exponent = '0'] =
    /^(?:\+|(-))?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(digits) ?? [];
  const all = `${whole}${fraction}`;
  if (all === '') throw new Error('a number that is none');
  const significant = all.replace(/^0+/, '').replace(/0+$/, '');
  if (significant === '') return '0';
  const power = Number(exponent) - fraction.length + (all.length - all.replace(/0+$/, '').length);
  const value = power >= 0 && power <= 15 ? `${significant}${'0'.repeat(power)}` : `${significant}e${power}`;
  return `${minus ?? ''}${value}`;
};

const bytes = (value: Uint8Array | string): string =>
  typeof value === 'string' ? value : Buffer.from(value).toString('base64');

const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number =>
  one < other ? -1 : one > other ? 1 : 0;

/** Arrays, strings, booleans and null only, so that equal values, and no others, have equal JSON. Binary may be bytes or Base64. */
export const canonicalAttribute = (value: AttributeValue): unknown => {
  if (value.S !== undefined) return ['S', value.S];
  if (value.N !== undefined) return ['N', canonicalNumber(value.N)];
  if (value.BOOL !== undefined) return ['BOOL', value.BOOL];
  if (value.NULL !== undefined) return ['NULL'];
  if (value.B !== undefined) return ['B', bytes(value.B)];
  if (value.SS !== undefined) return ['SS', [...value.SS].sort()];
  if (value.NS !== undefined) return ['NS', value.NS.map(canonicalNumber).sort()];
  if (value.BS !== undefined) return ['BS', value.BS.map(bytes).sort()];
  if (value.L !== undefined) return ['L', value.L.map(canonicalAttribute)];
  if (value.M !== undefined)
    return [
      'M',
      Object.entries(value.M)
        .sort(byName)
        .map(([name, inner]) => [name, canonicalAttribute(inner)]),
    ];
  throw new Error('an attribute value of no known type');
};

export const sameAttribute = (one: AttributeValue | undefined, other: AttributeValue | undefined): boolean =>
  one === undefined || other === undefined
    ? one === other
    : JSON.stringify(canonicalAttribute(one)) === JSON.stringify(canonicalAttribute(other));
