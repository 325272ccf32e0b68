/**
 * The user at the other end of a connection on this machine, as the kernel's table of sockets says
 * (`/proc/net/tcp`, proc(5)).
 */
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { Socket } from 'node:net';

/** Spelling of an address and port in the tables, for IPv4 and for IPv6. */
function spellings(address: string, port: number): string[] {
  const plain = address.replace(/^::ffff:/i, '');
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  if (plain === '::1') return [`00000000000000000000000001000000:${hexPort}`];
  if (!isIPv4(plain)) return [];
  const word = plain
    .split('.')
    .reverse()
    .map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, '0'))
    .join('');
  return [`${word}:${hexPort}`, `0000000000000000FFFF0000${word}:${hexPort}`];
}

/** Rows of a table; null if the system has none. @throws Error if it cannot be read now. */
async function rowsOf(table: string): Promise<string[] | null> {
  try {
    return (await readFile(table, 'latin1')).split('\n');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
}

/**
 * User id of the process that connected; null if no process of this machine holds the other end,
 * or it has closed it; `unknown` on systems that do not say.
 */
export async function peerUser({
  remoteAddress = '',
  remotePort = 0,
  localAddress = '',
  localPort = 0,
}: Socket): Promise<number | null | 'unknown'> {
  const own = new Set(spellings(remoteAddress, remotePort));
  const other = new Set(spellings(localAddress, localPort));
  const tables = [await rowsOf('/proc/net/tcp'), await rowsOf('/proc/net/tcp6')];
  if (tables.every((table) => table === null)) return 'unknown';
  for (const row of tables.flatMap((table) => table ?? [])) {
    const [, local = '', remote = '', , , , , uid, , inode] = row.trim().split(/\s+/);
    // A socket that was closed has no inode, and user 0 whoever had it.
    if (own.has(local) && other.has(remote) && inode !== '0') return Number(uid);
  }
  return null;
}
