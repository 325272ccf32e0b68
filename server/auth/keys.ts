/**
 * API keys: 32 random bytes each, shown once, stored as SHA-256 under a label. A key has 256 bits
 * of entropy and cannot be guessed, so a fast hash suffices. Keys are compared in constant time.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';

const keyFileSchema = z.object({
  keys: z.array(
    z.object({
      label: z.string(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      createdAt: z.string(),
    }),
  ),
});
type KeyFile = z.infer<typeof keyFileSchema>;

const digest = (key: string): Buffer => createHash('sha256').update(key, 'utf8').digest();

function readKeyFile(file: string): KeyFile {
  try {
    return keyFileSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new SaeEvalError(
      'configuration-invalid',
      `The file of API keys ${file} cannot be used: expected what \`sae-eval keys add ` +
        'LABEL` writes ' +
        `(${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}).`,
      { cause },
    );
  }
}

/**
 * Makes a key and stores its hash. A new file is readable by its owner only; an existing file keeps
 * its owner, group and mode, so that a server of another user can still read it.
 *
 * @returns the key, which is stored nowhere.
 * @throws SaeEvalError `configuration-invalid` if the label is in use or malformed.
 */
export function addKey({ file, label }: { file: string; label: string }): string {
  if (!/^[\p{L}\p{N} ._@+-]{1,100}$/u.test(label))
    throw new SaeEvalError(
      'configuration-invalid',
      `Expected a label of 1 to 100 letters, digits, spaces or . _ @ + -, ` +
        `found '${label.slice(0, 100)}'.`,
    );
  const { keys } = existsSync(file) ? readKeyFile(file) : { keys: [] };
  if (keys.some((key) => key.label === label))
    throw new SaeEvalError(
      'configuration-invalid',
      `${file} already has a key labelled '${label}'; choose another label, or remove that ` +
        'entry from the file.',
    );
  const key = `sae_${randomBytes(32).toString('base64url')}`;
  keys.push({ label, sha256: digest(key).toString('hex'), createdAt: new Date().toISOString() });
  mkdirSync(dirname(file), { recursive: true });
  const part = `${file}.part`;
  writeFileSync(part, `${JSON.stringify({ keys }, null, 2)}\n`, { mode: 0o600 });
  keepOwner(file, part);
  renameSync(part, file);
  return key;
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

/** Keys that a server accepts. A changed file is read again within a second, without a restart. */
export class KeyRing {
  #fromFile: { label: string; hash: Buffer }[] = [];
  readonly #single: { label: string; hash: Buffer }[];
  #modified = 0;
  #checked = 0;
  #isFaulty = false;
  /** Called once if the file becomes unusable; the keys read earlier stay valid. */
  onFault: (error: unknown) => void = () => {};

  constructor(
    private readonly file: string | undefined,
    single: string | undefined,
  ) {
    this.#single =
      single === undefined ? [] : [{ label: 'SAE_EVAL_API_KEY', hash: digest(single) }];
    if (file !== undefined) this.#load(file);
  }

  /** Whether calls need a key, even if the file has none yet. */
  get required(): boolean {
    return this.file !== undefined || this.#single.length > 0;
  }

  /** Label of a key; null if the key is unknown. */
  labelOf(key: string): string | null {
    this.#refresh();
    const hash = digest(key);
    let found: string | null = null;
    for (const known of [...this.#single, ...this.#fromFile])
      if (timingSafeEqual(known.hash, hash)) found = known.label;
    return found;
  }

  #load(file: string): void {
    if (!existsSync(file))
      throw new SaeEvalError(
        'configuration-invalid',
        `There is no file of API keys at ${file}; create it with \`sae-eval keys add LABEL\`.`,
      );
    this.#modified = statSync(file).mtimeMs;
    this.#fromFile = readKeyFile(file).keys.map(({ label, sha256 }) => ({
      label,
      hash: Buffer.from(sha256, 'hex'),
    }));
  }

  #refresh(): void {
    const now = Date.now();
    if (this.file === undefined || now - this.#checked < 1000) return;
    this.#checked = now;
    try {
      if (this.#isFaulty || statSync(this.file).mtimeMs !== this.#modified) this.#load(this.file);
      this.#isFaulty = false;
    } catch (error) {
      if (!this.#isFaulty) this.onFault(error);
      this.#isFaulty = true;
    }
  }
}
