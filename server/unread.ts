/** Bounds the answers that lie in memory because their callers do not read them. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { SaeEvalError } from '../src/errors.js';
import { clientOf } from './submission.js';

const mebibyte = 1024 * 1024;
/** Answers below this size are not counted. */
const smallest = 64 * 1024;
const most = { ofClient: 32 * mebibyte, inAll: 256 * mebibyte };

export class UnreadAnswers {
  readonly #owed = new Map<string, number>();
  #all = 0;

  /**
   * Counts an answer until it was read, given up or refused.
   * @throws SaeEvalError `unavailable` if too much is unread. One answer of any size is allowed.
   */
  add(reply: FastifyReply, bytes: number): void {
    // The caller may have left already, who is not going to leave again.
    if (bytes < smallest || reply.raw.destroyed) return;
    const client = clientOf(reply.request);
    const own = this.#owed.get(client) ?? 0;
    if (own > 0 && own + bytes > most.ofClient)
      throw new SaeEvalError(
        'unavailable',
        `You have not read ${Math.round(own / mebibyte)} MiB of earlier answers yet; read them ` +
          'or close their connections.',
      );
    if (this.#all > 0 && this.#all + bytes > most.inAll)
      throw new SaeEvalError(
        'unavailable',
        'Too many answers have not been read yet; try again in a moment.',
      );
    this.#change(client, bytes);
    reply.raw.once('close', () => this.#change(client, -bytes));
  }

  #change(client: string, bytes: number): void {
    this.#all += bytes;
    const own = (this.#owed.get(client) ?? 0) + bytes;
    if (own === 0) this.#owed.delete(client);
    else this.#owed.set(client, own);
  }
}

/** Counts every answer that is a text. Call before compression is registered. */
export function registerUnread(app: FastifyInstance, unread: UnreadAnswers): void {
  app.addHook('onSend', async (_, reply, payload) => {
    if (typeof payload === 'string') unread.add(reply, Buffer.byteLength(payload));
    else if (Buffer.isBuffer(payload)) unread.add(reply, payload.length);
    return payload;
  });
}
