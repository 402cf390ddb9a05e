/** Conditions that attributes still are what was read, whatever somebody typed into them. */

export type Row = Readonly<Record<string, unknown>>;

export interface Condition {
  readonly expression: string;
  readonly names: Record<string, string>;
  readonly values: Record<string, unknown>;
}

/** Each of the attributes is absent where the row lacked it, and else has the value, of the type, that the row had. */
export const unchanged = (row: Row, attributes: readonly string[]): Condition => {
  const condition: Condition = { expression: '', names: {}, values: {} };
  const terms = attributes.map((attribute) => {
    const name = `#read_${attribute}`;
    const value = `:read_${attribute}`;
    condition.names[name] = attribute;
    const read = row[attribute];
    if (read === undefined) return `attribute_not_exists(${name})`;
    if (typeof read === 'number' && Math.abs(read) > Number.MAX_SAFE_INTEGER) {
      // No JavaScript number says it exactly, nor may one be sent: still so large will do.
      condition.values[value] = Math.sign(read) * Number.MAX_SAFE_INTEGER;
      return `${name} ${read > 0 ? '>' : '<'} ${value}`;
    }
    condition.values[value] = read;
    return `${name} = ${value}`;
  });
  return { ...condition, expression: terms.join(' AND ') };
};
