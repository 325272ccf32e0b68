/**
 * The token of a server without API keys. Every user of a machine reaches its loopback addresses;
 * those of the server's own user are served, others need the token from a file that only this user
 * can read.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import { SaeEvalError } from '../../src/errors.js';
import { digest } from './key-file.js';
import { peerUser } from './peer-user.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** User at the other end, if a server without keys asked; null if nobody knows. */
    peer: number | null;
  }
}

/** The token in a file; null if there is none that only this user can read and write. */
function readToken(file: string): string | null {
  let handle: number;
  try {
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const facts = fstatSync(handle);
    const isOwn = facts.isFile() && facts.uid === process.getuid?.() && (facts.mode & 0o77) === 0;
    const text = isOwn ? readFileSync(handle, 'utf8').trim() : '';
    return /^[\w-]{43}$/.test(text) ? text : null;
  } finally {
    closeSync(handle);
  }
}

/** The token of a store, which is made if there is none. */
export function tokenIn(file: string): string {
  const known = readToken(file);
  if (known !== null) return known;
  const token = randomBytes(32).toString('base64url');
  const part = `${file}.${process.pid}.part`;
  rmSync(part, { force: true });
  writeFileSync(part, `${token}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(part, file);
  return token;
}

/** Tells callers of the server's own user from others. */
export class LocalCallers {
  readonly #hash: Buffer;
  readonly #users = new WeakMap<Socket, Promise<number | null | 'unknown'>>();

  constructor(token: string) {
    this.#hash = digest(token);
  }

  /**
   * @param refused called before a caller is refused; throws if that happened too often.
   * @throws SaeEvalError `unauthorized`.
   */
  async check(
    request: FastifyRequest,
    refused: (request: FastifyRequest) => Promise<void>,
  ): Promise<void> {
    const { socket } = request.raw;
    let asked = this.#users.get(socket);
    if (asked === undefined) {
      asked = peerUser(socket);
      this.#users.set(socket, asked);
      // A token that could not be read now is asked for again.
      asked.catch(() => this.#users.delete(socket));
    }
    const user = await asked;
    // Root can read the token.
    if (user === 'unknown' || user === 0 || user === process.getuid?.()) return;
    request.peer = user;
    const [, given] = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
    if (given !== undefined && timingSafeEqual(digest(given), this.#hash)) return;
    await refused(request);
    throw new SaeEvalError(
      'unauthorized',
      'This server has no API keys and serves the user who started it. Others of this machine ' +
        'give the token as `Authorization: Bearer …`; it stands in the file that is named like ' +
        'its database with .token at the end.',
    );
  }
}
