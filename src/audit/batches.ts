/** As many keys as DynamoDB reads at once, and as many differences as are entered at once. */
const most = 99;

export const batches = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(all.length / most) }, (_, index) => all.slice(index * most, (index + 1) * most));
