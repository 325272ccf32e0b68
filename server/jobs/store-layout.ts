/** Tables of the store. Each entry of `steps` migrates the file to the next version. */
import { SaeEvalError } from '../../src/errors.js';
import type { Database } from '../../src/sqlite/database.js';

const steps = [
  `CREATE TABLE evaluations (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     status TEXT NOT NULL,
     device TEXT NOT NULL,
     submitted_by TEXT,
     client TEXT NOT NULL,
     labels TEXT NOT NULL,
     request TEXT NOT NULL,
     paths TEXT NOT NULL,
     created_at TEXT NOT NULL,
     started_at TEXT,
     ended_at TEXT,
     attempts INTEGER NOT NULL,
     progress TEXT,
     error TEXT,
     result TEXT,
     idempotency_key TEXT,
     body_hash TEXT,
     pid INTEGER
   ) STRICT;
   CREATE UNIQUE INDEX evaluations_idempotency ON evaluations (client, idempotency_key)
     WHERE idempotency_key IS NOT NULL;
   CREATE INDEX evaluations_status ON evaluations (status, device, seq);
   CREATE TABLE changes (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     evaluation_id TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
     at TEXT NOT NULL,
     status TEXT NOT NULL,
     detail TEXT
   ) STRICT;
   CREATE INDEX changes_evaluation ON changes (evaluation_id, seq);`,
  // Trace of the submitting request (OpenTelemetry's carrier as JSON).
  `ALTER TABLE evaluations ADD COLUMN trace TEXT NOT NULL DEFAULT '{}';`,
  'DROP TABLE changes;',
  // Checksums (checksums.ts); null in rows of before.
  `ALTER TABLE evaluations ADD COLUMN checksum TEXT;
   ALTER TABLE evaluations ADD COLUMN outcome_checksum TEXT;
   ALTER TABLE evaluations ADD COLUMN result_hash TEXT;`,
  // What lists need, apart from the results (listing.ts).
  `CREATE TABLE listing (
     seq INTEGER PRIMARY KEY REFERENCES evaluations (seq) ON DELETE CASCADE,
     name TEXT,
     tags TEXT NOT NULL,
     searched TEXT NOT NULL,
     model TEXT NOT NULL,
     seconds REAL,
     headline TEXT,
     checksum TEXT
   ) STRICT;
   CREATE TABLE best_values (
     seq INTEGER NOT NULL REFERENCES listing (seq) ON DELETE CASCADE,
     field TEXT NOT NULL,
     value REAL NOT NULL,
     PRIMARY KEY (seq, field)
   ) STRICT, WITHOUT ROWID;
   ALTER TABLE evaluations ADD COLUMN rerun_of TEXT;`,
  // Whether other keys may read it, as the request says; null if it does not.
  `ALTER TABLE listing ADD COLUMN shared INTEGER;
   CREATE INDEX evaluations_owner ON evaluations (submitted_by, seq);`,
  // Identity of the compute process (process-identity.ts); facts of the store: its owner, and the
  // number of its changes (change-count.ts).
  `ALTER TABLE evaluations ADD COLUMN process TEXT;
   CREATE TABLE facts (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
   INSERT INTO facts (name, value) VALUES ('changes', 0), ('store', lower(hex(randomblob(16))));
   CREATE TRIGGER evaluation_inserted AFTER INSERT ON evaluations BEGIN
     UPDATE facts SET value = value + 1 WHERE name = 'changes';
   END;
   CREATE TRIGGER evaluation_changed AFTER UPDATE OF status ON evaluations BEGIN
     UPDATE facts SET value = value + 1 WHERE name = 'changes';
   END;
   CREATE TRIGGER evaluation_removed AFTER DELETE ON evaluations BEGIN
     UPDATE facts SET value = value + 1 WHERE name = 'changes';
   END;`,
];

/** Version of the tables that this version reads and writes. */
export const layoutVersion = steps.length;

/**
 * Returns whether anything was changed.
 * @throws SaeEvalError `configuration-invalid` if a later version wrote the file.
 */
export function migrate(db: Database): boolean {
  const version = db.pragma('user_version')[0]!['user_version'] as number;
  if (version > steps.length)
    throw new SaeEvalError(
      'configuration-invalid',
      `${db.name} was written by a later version of sae-eval; use that version, or another ` +
        '--db file.',
    );
  // A full disk lets a store be opened that needs no change.
  if (version === steps.length) return false;
  db.transaction(() => {
    for (const step of steps.slice(version)) db.exec(step);
    db.pragma(`user_version = ${steps.length}`);
  });
  return true;
}
