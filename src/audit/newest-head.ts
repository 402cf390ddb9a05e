/** The newest head that the deployment signed, whatever else was put beside it. */
import type { HeadStore, ListedHead, SignedHead } from './head.ts';

/** Of at most `to` entries, where given. `foreign` is told of larger ones that are none of ours. */
export const newestHead = async (
  heads: HeadStore,
  { to, foreign }: { readonly to?: number; readonly foreign?: (listed: ListedHead) => void } = {},
): Promise<SignedHead | null> => {
  if (to === undefined) {
    // A short list is enough where nothing lies in front.
    const first = await heads.newest();
    const head = first && (await heads.read(first));
    if (first === null || head !== null) return head;
  }
  for await (const listed of heads.listed(to === undefined ? {} : { to })) {
    const head = await heads.read(listed);
    if (head !== null) return head;
    foreign?.(listed);
  }
  return null;
};
