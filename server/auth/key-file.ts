/**
 * The file of API keys: 32 random bytes each, shown once, stored as SHA-256 under a label. A key
 * has 256 bits of entropy and cannot be guessed, so a fast hash suffices.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import { roles, type Role } from '../../src/schema/caller.js';
import { check } from '../../src/schema/faults.js';

/** Label of the key that comes from the environment. */
export const environmentLabel = 'SAE_EVAL_API_KEY';

const keyFileSchema = z.object({
  keys: z
    .array(
      z.object({
        label: z.string(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        createdAt: z.string(),
        // Keys of earlier versions have no role.
        role: z.enum(roles).optional(),
        expiresAt: z
          .string()
          .refine((text) => !Number.isNaN(Date.parse(text)), 'expected a date')
          .optional(),
      }),
    )
    .superRefine((keys, { addIssue }) => {
      const labels = new Set<string>([environmentLabel]);
      const hashes = new Set<string>();
      for (const { label, sha256 } of keys) {
        if (labels.has(label))
          addIssue({ code: 'custom', message: `two keys are labelled '${label}'` });
        if (hashes.has(sha256))
          addIssue({ code: 'custom', message: `'${label}' has the hash of another key` });
        labels.add(label);
        hashes.add(sha256);
      }
    }),
});
export type KeyFile = z.infer<typeof keyFileSchema>;

export const digest = (key: string): Buffer => createHash('sha256').update(key, 'utf8').digest();

/** @throws SaeEvalError `configuration-invalid`. */
export function readKeyFile(file: string): KeyFile {
  const refused = (says: string, cause?: unknown): SaeEvalError =>
    new SaeEvalError(
      'configuration-invalid',
      `The file of API keys ${file} cannot be used: expected what \`sae-eval keys add ` +
        `LABEL\` writes (${says}).`,
      { cause },
    );
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    throw refused(asSaeEvalError(thrown, file).message, thrown);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    // The file itself is not quoted: it may hold a key.
    throw refused('it is not JSON', thrown);
  }
  const { data, faults } = check(keyFileSchema, value, { of: 'the file' });
  if (faults === null) return data;
  const { path, message } = faults[0]!;
  throw refused(path === '' ? message : `${path} ${message}`);
}

export interface NewKey {
  file: string;
  label: string;
  /** Default: `submit`. */
  role?: Role;
  /** Days after which the key is refused; default: never. */
  days?: number;
}

/**
 * Makes a key and stores its hash. A new file is readable by its owner only; an existing file keeps
 * its owner, group and mode, so that a server of another user can still read it.
 *
 * @returns the key, which is stored nowhere.
 * @throws SaeEvalError `configuration-invalid` if the label is in use or malformed.
 */
export function addKey({ file, label, role = 'submit', days }: NewKey): string {
  if (!/^[\p{L}\p{N} ._@+-]{1,100}$/u.test(label) || label === environmentLabel)
    throw new SaeEvalError(
      'configuration-invalid',
      `Expected a label of 1 to 100 letters, digits, spaces or . _ @ + -, ` +
        `found '${label.slice(0, 100)}'.`,
    );
  mkdirSync(dirname(file), { recursive: true });
  return withLock(file, () => {
    const { keys } = existsSync(file) ? readKeyFile(file) : { keys: [] };
    if (keys.some((key) => key.label === label))
      throw new SaeEvalError(
        'configuration-invalid',
        `${file} already has a key labelled '${label}'; choose another label, or remove that ` +
          'entry from the file.',
      );
    const key = `sae_${randomBytes(32).toString('base64url')}`;
    const now = Date.now();
    keys.push({
      label,
      sha256: digest(key).toString('hex'),
      createdAt: new Date(now).toISOString(),
      role,
      ...(days === undefined
        ? {}
        : { expiresAt: new Date(now + days * 24 * 3600_000).toISOString() }),
    });
    const part = `${file}.${process.pid}.part`;
    rmSync(part, { force: true });
    const handle = openSync(part, 'wx', 0o600);
    try {
      writeFileSync(handle, `${JSON.stringify({ keys }, null, 2)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    keepOwner(file, part);
    renameSync(part, file);
    return key;
  });
}

function keepOwner(file: string, part: string): void {
  const before = statSync(file, { throwIfNoEntry: false });
  if (before === undefined) return;
  try {
    chownSync(part, before.uid, before.gid);
  } catch {
    // Only root may change owners; the file then belongs to this user.
  }
  chmodSync(part, before.mode & 0o777);
}

/** Milliseconds after which a lock is one of a process that was killed: it is held for some. */
const longestHeld = 10_000;

/** Does `work` while no other process does: each reads the file, adds a key and replaces it. */
function withLock<T>(file: string, work: () => T): T {
  const lock = `${file}.lock`;
  const until = performance.now() + 3 * longestHeld;
  for (;;) {
    try {
      closeSync(openSync(lock, 'wx', 0o600));
      break;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST' || performance.now() > until)
        throw thrown;
    }
    const held = statSync(lock, { throwIfNoEntry: false });
    if (held !== undefined && Date.now() - held.mtimeMs > longestHeld) {
      // Only one of several that wait takes it away.
      const left = `${lock}.${process.pid}`;
      try {
        renameSync(lock, left);
      } catch {
        continue;
      }
      rmSync(left, { force: true });
    } else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}
