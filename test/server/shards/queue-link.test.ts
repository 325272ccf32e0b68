/**
 * The link to a queue on real Redis servers: with TLS and an authority of its own, and refused by
 * name if its certificate is not trusted or it is too old.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QueueLink } from '#server/shards/queue-link.js';
import { makeCertificate } from '../../cluster/certificate.js';
import { programPath } from '../../cluster/needed-programs.js';
import { packageRoot, temporaryFolder } from '../harness.js';
import { LocalRedis, withoutRedis } from './harness.js';

const withoutTls =
  withoutRedis !== '' || programPath('openssl') !== undefined ? '' : ' (skipped without openssl)';

describe.skipIf(withoutRedis + withoutTls !== '')(
  `a queue with TLS${withoutRedis}${withoutTls}`,
  () => {
    const folder = temporaryFolder();
    let redis: LocalRedis;
    let stranger: string;
    beforeAll(async () => {
      redis = await LocalRedis.start(folder.path, { tls: true });
      const other = join(folder.path, 'other');
      mkdirSync(other);
      stranger = makeCertificate(other, '127.0.0.1').certificate;
    });
    afterAll(async () => {
      await redis.kill();
      folder.remove();
    });

    /** Puts a job and counts those that wait, in a process that trusts authorities of a file. */
    async function ask(url: string, authorities: string | null): Promise<Record<string, unknown>> {
      const script = `
        const { QueueLink } = await import(process.argv[1]);
        const logs = [];
        const link = new QueueLink({ url: process.argv[2], log: (text) => logs.push(text) });
        try {
          const waiting = await link.ask(async () => {
            await link.queue('trial').add('shard', {}, { jobId: 'one/0' });
            return link.queue('trial').getWaitingCount();
          });
          console.log(JSON.stringify({ waiting, logs }));
        } catch ({ code, message }) {
          console.log(JSON.stringify({ code, message, logs }));
        }
        await link.close();
        process.exit(0);`;
      const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
      const child = spawn(
        process.execPath,
        [
          ...['--input-type=module', '-e', script],
          join(packageRoot, 'dist/server/shards/queue-link.js'),
          url,
        ],
        {
          env: { ...env, ...(authorities === null ? {} : { NODE_EXTRA_CA_CERTS: authorities }) },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      let output = '';
      child.stdout.on('data', (text: Buffer) => (output += text.toString()));
      await once(child, 'close');
      return JSON.parse(output) as Record<string, unknown>;
    }

    it('is used if NODE_EXTRA_CA_CERTS names its authority', async () => {
      const { certificate } = redis.tls!;
      expect(await ask(redis.url, certificate)).toEqual({ waiting: 1, logs: [] });
    });

    it.each([
      ['no authority', () => null, '127.0.0.1', /self-signed certificate/],
      ['another authority', () => stranger, '127.0.0.1', /self-signed certificate|signature/],
      ['another name', () => redis.tls!.certificate, 'localhost', /altnames|does not match/],
    ])('is refused by name with %s', async (_, authorities, host, reason) => {
      const url = redis.url.replace('127.0.0.1', host);
      const { code, message, logs } = await ask(url, authorities());
      expect([code, logs]).toEqual(['configuration-invalid', []]);
      expect(message).toMatch(reason);
      expect(message).toMatch(/^queue: the certificate of rediss:.*NODE_EXTRA_CA_CERTS names\.$/s);
      expect(message).not.toContain('secret');
    });
  },
);

describe.skipIf(withoutRedis !== '')(`a queue on an old Redis${withoutRedis}`, () => {
  const folder = temporaryFolder();
  const sockets = new Set<Socket>();
  let redis: LocalRedis;
  let proxy: Server;

  // No Redis 6 is at hand: bytes pass between the link and a Redis 7, whose answer to INFO gets
  // another version of the same length.
  beforeAll(async () => {
    redis = await LocalRedis.start(folder.path);
    const { port } = new URL(redis.url);
    proxy = createServer((socket) => {
      const upstream = connect(Number(port), '127.0.0.1');
      for (const each of [socket, upstream]) sockets.add(each.on('error', () => {}));
      socket.pipe(upstream);
      upstream.on('data', (bytes: Buffer) => {
        const text = bytes.toString('latin1');
        const aged = text.replace(/(?<=redis_version:)\d+(?=[\d.]*\r\n)/, (major) =>
          '6'.padStart(major.length, '0'),
        );
        socket.write(aged, 'latin1');
      });
      upstream.on('close', () => socket.destroy());
      socket.on('close', () => upstream.destroy());
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
    await redis.kill();
    folder.remove();
  });

  it('is refused with its version, and the Redis behind it is not', async () => {
    const ask = async (url: string): Promise<unknown> => {
      const link = new QueueLink({ url, log: () => {} });
      try {
        return await link.ask(() => link.queue('trial').getWaitingCount());
      } finally {
        await link.close();
      }
    };
    expect(await ask(redis.url)).toBe(0);
    const { port } = proxy.address() as AddressInfo;
    await expect(ask(`redis://:secret@127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'configuration-invalid',
      message:
        `queue: redis://:***@127.0.0.1:${port} is Redis ${redis.version.replace(/^\d+/, '6')}; ` +
        'expected Redis 7 or later, or Valkey.',
    });
  });
});
