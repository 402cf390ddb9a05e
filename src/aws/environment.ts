/** What the stack puts into a function's environment. */

/** @throws Error when the stack did not set it */
export const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};
