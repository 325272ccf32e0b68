/** A real PostgreSQL in a host; as root may not run it, it runs as `nobody`. */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ended, Host, HostCommand } from './host.js';
import { programPath } from './needed-programs.js';
import { startService } from './service.js';

const nobody = 65534;
const asNobody = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--'] as const;
const password = 'secret of the tests';

export class Postgres {
  readonly #host: Host;
  readonly #folder: string;
  #server: HostCommand | undefined;

  /** @param folder for its data; others may pass through it, and it is filled. */
  constructor(host: Host, folder: string) {
    this.#host = host;
    this.#folder = join(folder, 'postgres');
  }

  get url(): string {
    const { address } = this.#host;
    return `postgres://postgres:${encodeURIComponent(password)}@${address}:5432/postgres`;
  }

  /** Makes an empty database cluster and starts it. */
  async create(): Promise<void> {
    mkdirSync(this.#folder);
    chownSync(this.#folder, nobody, nobody);
    chmodSync(this.#folder, 0o700);
    const passwordFile = `${this.#folder}.password`;
    writeFileSync(passwordFile, password, { mode: 0o644 });
    const { code, stderr } = await this.#asNobody('initdb', [
      ...['--pgdata', this.#folder, '--username', 'postgres', '--pwfile', passwordFile],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--no-sync'],
    ]);
    if (code !== 0) throw new Error(`initdb: ${stderr}`);
    writeFileSync(
      join(this.#folder, 'pg_hba.conf'),
      'local all all trust\nhost all all 0.0.0.0/0 scram-sha-256\n',
    );
    await this.start();
  }

  async start(): Promise<void> {
    this.#server = await startService(this.#host, {
      command: 'setpriv',
      args: [
        ...asNobody,
        ...[programPath('postgres')!, '-D', this.#folder, '-k', this.#folder],
        ...['-h', this.#host.address, '-c', 'fsync=off', '-c', 'shared_buffers=16MB'],
      ],
      ready: /database system is ready to accept connections/,
    });
  }

  /** Kills the server and its children at once. What was committed stays. */
  async kill(): Promise<void> {
    await this.#host.kill();
    await this.#server?.ended;
  }

  /** Rows that `psql` prints, run in the host. */
  async ask(statement: string): Promise<string> {
    const { stdout, stderr } = await this.#asNobody('psql', [
      ...['-h', this.#folder, '-U', 'postgres', '-Atc', statement],
    ]);
    return (stdout + stderr).trim();
  }

  #asNobody(program: string, args: readonly string[]): Promise<Ended> {
    return this.#host.run('setpriv', [...asNobody, programPath(program)!, ...args], {
      cwd: '/',
      env: { HOME: '/' },
    });
  }
}
