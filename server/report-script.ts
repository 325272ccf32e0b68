/**
 * The script of HTML reports as a source of a content security policy: its hash, so that no other
 * script may run.
 */
import { createHash } from 'node:crypto';
import { htmlScript } from '../src/report/html-script.js';

export const reportScriptSource = `'sha256-${createHash('sha256').update(htmlScript).digest('base64')}'`;
