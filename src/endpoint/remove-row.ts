/** Deletes a row for a caller that still stands when it is deleted. */
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { nextVersion, versionAttribute } from '../audit/stamp.ts';
import { type Removal, removeRow, transact } from '../aws/transact.ts';
import type { World } from '../world.ts';

type Removed = Pick<Removal, 'key' | 'row' | 'action'>;

/** The row is written, unchanged, in the transaction that checks the caller; then it is deleted as that write left it. */
export const removeForCaller = async (world: World, caller: Caller, removed: Removed): Promise<'done' | 'again'> => {
  const author = authorOf(caller);
  const removal = { table: 'endpoints', ...removed } as const;
  const steps = [removal, callerIsActive(world, caller), ...callerStands(world, caller)];
  if ((await transact(world, author, steps)) === 'again') return 'again';
  const row = { ...removed.row, [versionAttribute]: nextVersion(removed.row[versionAttribute]) };
  return removeRow(world, author, { ...removal, row });
};
