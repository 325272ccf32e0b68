/** `/`: the page. Its files are those in server/page; its client is the one in the package. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { reportScriptSource } from '../report-script.js';
import { packageRoot } from '../../src/torch/setup/paths.js';

const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * Allows scripts and requests of this server only. A report in a tab of its own has this policy
 * too, so it allows inline styles and the script of reports.
 */
const pagePolicy =
  `default-src 'none'; script-src 'self' ${reportScriptSource}; style-src 'self' ` +
  "'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; manifest-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { withFileTypes: true })).flatMap((entry) =>
    entry.isFile() && extname(entry.name) in mediaTypes ? [entry.name] : [],
  );
}

export async function registerPage(app: FastifyInstance): Promise<void> {
  const pageFolder = join(packageRoot, 'server', 'page');
  const clientFolder = join(packageRoot, 'dist', 'src', 'client');
  const files = new Map<string, string>([
    ...(await filesIn(pageFolder)).map((name): [string, string] => [
      `/page/${name}`,
      join(pageFolder, name),
    ]),
    ...(await filesIn(clientFolder)).map((name): [string, string] => [
      `/page/client/${name}`,
      join(clientFolder, name),
    ]),
    ['/page/schema/status.js', join(packageRoot, 'dist', 'src', 'schema', 'status.js')],
    ['/', join(pageFolder, 'index.html')],
  ]);
  for (const [url, file] of files) {
    const content = readFileSync(file);
    const type = mediaTypes[extname(file)]!;
    app.get(
      url,
      { config: { isPublic: true, negotiates: true, rateLimit: false }, schema: { hide: true } },
      async (_, reply) =>
        reply
          .type(type)
          .header('content-security-policy', pagePolicy)
          .header('cache-control', 'no-cache')
          .send(content),
    );
  }
}
