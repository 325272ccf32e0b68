/** The address of a queue. */
import { SaeEvalError } from '../../src/errors.js';

const redisProtocols = ['redis:', 'rediss:'];
const postgresProtocols = ['postgres:', 'postgresql:'];

/** The address without its password. */
export function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    const user = parsed.username === '' && parsed.password === '' ? '' : `${parsed.username}:***@`;
    return `${parsed.protocol}//${user}${parsed.host}${parsed.pathname}`;
  } catch {
    return 'the address of the queue';
  }
}

/** @throws SaeEvalError `configuration-invalid` if it is no address of a queue. */
export function checkQueueUrl(url: string): void {
  const { protocol = '', hostname = '' } = URL.canParse(url) ? new URL(url) : {};
  if ([...redisProtocols, ...postgresProtocols].includes(protocol) && hostname !== '') return;
  throw new SaeEvalError(
    'configuration-invalid',
    'queue: expected an address such as redis://host:6379, rediss://:password@host:6379 or ' +
      `postgres://user:password@host/database, found ${withoutPassword(url)}.`,
  );
}

/** Whether it is the address of a Redis or Valkey. */
export const isRedis = (url: string): boolean => redisProtocols.includes(new URL(url).protocol);
