/** Conditions that attributes still are what was read, whatever somebody typed into them. */

export type Row = Readonly<Record<string, unknown>>;

export interface Condition {
  readonly expression: string;
  readonly names: Record<string, string>;
  readonly values: Record<string, unknown>;
}

/** From here on no JavaScript number says exactly which one was read: still so large will do. */
const far = 2 ** 52;
/** Below what DynamoDB can hold there is nothing between a number and 0. */
const tiny = 1e-100;

/** DynamoDB keeps 38 digits; what was read is as near to the number as JavaScript comes. */
const near = (read: number): readonly [number, number] => {
  const width = Math.abs(read) * Number.EPSILON + tiny;
  return [read - width, read + width];
};

const typeOf = (read: object): string => {
  if (Array.isArray(read)) return 'L';
  if (!(read instanceof Set)) return 'M';
  const [first] = read;
  return typeof first === 'string' ? 'SS' : typeof first === 'number' ? 'NS' : 'BS';
};

/**
 * Each of the attributes is absent where the row lacked it, and else has the value, of the type, that the row had. Of
 * lists, maps and sets only the type is compared: the product keeps none in an attribute that is asked for here.
 */
export const unchanged = (row: Row, attributes: readonly string[]): Condition => {
  const condition: Condition = { expression: '', names: {}, values: {} };
  const terms = attributes.map((attribute) => {
    const name = `#read_${attribute}`;
    const value = `:read_${attribute}`;
    condition.names[name] = attribute;
    const read = row[attribute];
    if (read === undefined) return `attribute_not_exists(${name})`;
    if (typeof read === 'number' && Math.abs(read) >= far) {
      condition.values[value] = (Math.sign(read) * far) / 2;
      return `${name} ${read > 0 ? '>' : '<'} ${value}`;
    }
    if (typeof read === 'number') {
      [condition.values[`${value}_from`], condition.values[`${value}_to`]] = near(read);
      return `${name} BETWEEN ${value}_from AND ${value}_to`;
    }
    if (typeof read === 'object' && read !== null && !(read instanceof Uint8Array)) {
      condition.values[value] = typeOf(read);
      return `attribute_type(${name}, ${value})`;
    }
    condition.values[value] = read;
    return `${name} = ${value}`;
  });
  return { ...condition, expression: terms.join(' AND ') };
};
