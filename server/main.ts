/** Starts the server, and stops it cleanly on SIGTERM and SIGINT. */
import closeWithGrace from 'close-with-grace';
import type { AddressInfo } from 'node:net';
import { asSaeEvalError, SaeEvalError } from '../src/errors.js';
import { outliveFetchFault } from '../src/fetch-fault.js';
import { buildApp } from './app.js';
import { configVariable, type ServerOptions } from './options.js';

export { addKey } from './auth/key-file.js';
export type { ServerOptions } from './options.js';

export interface RunningServer {
  /** Address, such as `http://127.0.0.1:8787`, with the base path. */
  url: string;
  /** Stops the server: ends streams and keeps running evaluations for the next start. */
  close(): Promise<void>;
}

export interface StartOptions {
  /** Whether SIGTERM and SIGINT stop the server; default true. */
  handleSignals?: boolean;
  /** JSON file of settings; default: the value of SAE_EVAL_CONFIG. */
  config?: string;
}

/**
 * Starts the server.
 *
 * @throws SaeEvalError `configuration-invalid`.
 * @example
 * const server = await startServer({ port: 0, roots: ['.'] });
 */
export async function startServer(
  options: ServerOptions = {},
  { handleSignals = true, config }: StartOptions = {},
): Promise<RunningServer> {
  const { app, services } = await buildApp(
    options,
    config === undefined ? process.env : { ...process.env, [configVariable]: config },
  );
  const { host, port, grace, basePath } = services.options;
  try {
    await app.listen({ host, port });
  } catch (thrown) {
    await app.close();
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new SaeEvalError(
        'configuration-invalid',
        `Port ${port} of ${host} is in use; give another with --port.`,
        { cause: thrown },
      );
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new SaeEvalError(
        'configuration-invalid',
        `The server cannot listen on ${host}, port ${port} (${code}).`,
        { cause: thrown },
      );
    throw asSaeEvalError(thrown, 'Starting the server');
  }
  const { address, family, port: bound } = app.server.address() as AddressInfo;
  if (handleSignals) {
    outliveFetchFault((err) => app.log.warn({ err }, 'Node has too few addresses for fetch'));
    closeWithGrace(
      { delay: grace * 1000, logger: app.log, skip: ['unhandledRejection'] },
      async ({ err }) => {
        if (err !== undefined) app.log.fatal({ err }, 'the server ends after a fault');
        await app.close();
      },
    );
  }
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}${basePath}`,
    close: () => app.close(),
  };
}
