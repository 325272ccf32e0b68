/**
 * The content security policy of an HTML report. The file carries it, so that it holds wherever the
 * report is saved: its own script runs and no other, and nothing is loaded or sent.
 */
import { createHash } from 'node:crypto';
import { htmlScript } from './html-script.js';

const hash = createHash('sha256').update(htmlScript).digest('base64');

/** The script of reports as a source of a policy. */
export const htmlScriptSource = `'sha256-${hash}'`;

export const htmlPolicy =
  `default-src 'none'; script-src ${htmlScriptSource}; style-src 'unsafe-inline'; ` +
  "img-src data:; base-uri 'none'; form-action 'none'";
