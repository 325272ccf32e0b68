/** `/`: the page. It has no build step: its files are served as they are. */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { importMapSource, mediaTypes, pageFiles, pageShell } from '../page-files.js';
import { htmlScriptSource } from '../../src/report/html-policy.js';

/**
 * Allows scripts and requests of this server only, and the page's import map. A report in a tab of
 * its own has this policy too, so it allows inline styles and the script of reports.
 */
function policyOf(shell: string): string {
  return (
    `default-src 'none'; script-src 'self' ${importMapSource(shell)} ${htmlScriptSource}; ` +
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; " +
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  );
}

export async function registerPage(app: FastifyInstance): Promise<void> {
  const files = pageFiles();
  const shell = pageShell(files);
  const policy = policyOf(shell);
  function serve(url: string, extension: string, read: () => string | Buffer): void {
    const content = read();
    app.get(
      url,
      { config: { isPublic: true, negotiates: true, rateLimit: false }, schema: { hide: true } },
      async (_, reply) =>
        reply
          .type(mediaTypes[extension]!)
          .header('content-security-policy', policy)
          .header('cache-control', 'no-cache')
          .send(content),
    );
  }
  serve('/', '.html', () => shell);
  for (const [url, file] of files)
    serve(url, file.endsWith('.mjs') ? '.js' : extname(file), () => readFileSync(file));
}
