/** `sae-eval db backup`, `sae-eval db check`: care for the store of a server. */
import { backUpStore, checkStore, type StoreCheck } from '../../../server/jobs/check-store.js';

export interface DbFlags {
  db: string;
}

function tell({ evaluations, damaged }: StoreCheck, file: string): void {
  process.stdout.write(`${file}: ${evaluations} evaluations, ${damaged.length} damaged\n`);
  for (const id of damaged) process.stdout.write(`damaged: ${id}\n`);
  if (damaged.length > 0) process.exitCode = 1;
}

/** Checks every record; exit code 1 if one is damaged. */
export async function checkDb({ db }: DbFlags): Promise<void> {
  tell(checkStore(db), db);
}

/** Writes a back-up, also of a store that a server uses. */
export async function backUpDb(to: string, { db }: DbFlags): Promise<void> {
  tell(backUpStore(db, to), to);
  process.stderr.write(`The sums of the evaluations lie in ${db}.sums: copy that folder too.\n`);
}
