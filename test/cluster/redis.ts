/** A real Redis in a host: killed, restarted with its data or without, with password and TLS. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificate, type Certificate } from './certificate.js';
import type { Host, HostCommand } from './host.js';
import { startService } from './service.js';

export interface RedisOptions {
  /** A file to which every write is appended, so that a killed server keeps its data. */
  appendOnly?: boolean;
  password?: string;
  tls?: boolean;
}

export class Redis {
  readonly #host: Host;
  readonly #folder: string;
  readonly #options: RedisOptions;
  readonly tls: Certificate | undefined;
  #server: HostCommand | undefined;

  /** @param folder for its data; it is made. */
  constructor(host: Host, folder: string, options: RedisOptions = {}) {
    this.#host = host;
    this.#folder = join(folder, 'redis');
    this.#options = options;
    mkdirSync(this.#folder, { recursive: true });
    if (options.tls === true) this.tls = makeCertificate(folder, host.address);
  }

  get url(): string {
    const { password } = this.#options;
    const user = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
    return `${this.tls === undefined ? 'redis' : 'rediss'}://${user}${this.#host.address}:6379`;
  }

  async start(): Promise<void> {
    const { appendOnly = false, password } = this.#options;
    const { tls } = this;
    this.#server = await startService(this.#host, {
      command: 'redis-server',
      args: [
        ...['--bind', this.#host.address, '--dir', this.#folder, '--save', ''],
        ...['--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'always'],
        ...['--maxmemory-policy', 'noeviction', '--protected-mode', 'no'],
        ...(password === undefined ? [] : ['--requirepass', password]),
        ...(tls === undefined
          ? ['--port', '6379']
          : [
              ...['--port', '0', '--tls-port', '6379', '--tls-auth-clients', 'no'],
              ...['--tls-cert-file', tls.certificate, '--tls-key-file', tls.key],
              ...['--tls-ca-cert-file', tls.certificate],
            ]),
      ],
      ready: /Ready to accept connections/,
    });
  }

  /** Kills it at once. Without `appendOnly` its data is gone. */
  async kill(): Promise<void> {
    this.#server?.child.kill('SIGKILL');
    await this.#server?.ended;
  }

  /** Removes what it has written, for a start on an empty folder. */
  loseData(): void {
    rmSync(this.#folder, { recursive: true });
    mkdirSync(this.#folder);
  }

  /** What `redis-cli` answers, run in the host. */
  async ask(...command: readonly string[]): Promise<string> {
    const { password } = this.#options;
    const { stdout, stderr } = await this.#host.run(
      'redis-cli',
      [
        ...['-h', this.#host.address],
        ...(this.tls === undefined ? [] : ['--tls', '--cacert', this.tls.certificate]),
        ...command,
      ],
      { env: password === undefined ? {} : { REDISCLI_AUTH: password } },
    );
    return (stdout + stderr).trim();
  }
}
