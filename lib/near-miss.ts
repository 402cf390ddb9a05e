/** Tells a misspelt word from another word. */

/** Insertions, deletions and replacements between two words (Levenshtein). */
const distance = (one: string, other: string): number => {
  let above = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...one].entries()) {
    const here = [row + 1];
    for (let column = 1; column <= other.length; column += 1) {
      const replaced = (above[column - 1] ?? 0) + (letter === other[column - 1] ? 0 : 1);
      here.push(Math.min(replaced, (above[column] ?? 0) + 1, (here[column - 1] ?? 0) + 1));
    }
    above = here;
  }
  return above.at(-1) ?? 0;
};

/** Letters of a word that are meant as an abbreviation of it. */
const shortestBeginning = 3;

/** The word that `given`, which is none of them, was probably meant to be: in another case, cut short, two letters off. */
export const nearMiss = (given: string, words: readonly string[]): string | undefined => {
  const lower = given.toLowerCase();
  return words.find((word) => {
    const meant = word.toLowerCase();
    return (lower.length >= shortestBeginning && meant.startsWith(lower)) || distance(lower, meant) <= 2;
  });
};
