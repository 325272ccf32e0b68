/** The commands `db backup` and `db check`. */
import { Option, type Command } from 'commander';
import type { DbFlags } from './commands/db.js';

const dbOption = (): Option =>
  new Option('--db <file>', 'SQLite file of the evaluations')
    .env('SAE_EVAL_DB')
    .default('sae-eval.db');

/** Adds them. */
export function addDb(program: Command): void {
  const db = program.command('db').description('check or back up the store of a server');
  db.command('check')
    .description('check every stored evaluation against its checksums')
    .addOption(dbOption())
    .action(async (flags: DbFlags) => (await import('./commands/db.js')).checkDb(flags));
  db.command('backup')
    .description('write a back-up of the store, also while a server uses it')
    .argument('<file>', 'file to write')
    .addOption(dbOption())
    .action(async (file: string, flags: DbFlags) =>
      (await import('./commands/db.js')).backUpDb(file, flags),
    );
}
