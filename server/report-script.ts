/** The script of HTML reports as a content security policy source, so that no other may run. */
import { createHash } from 'node:crypto';
import { htmlScript } from '../src/report/html-script.js';

const hash = createHash('sha256').update(htmlScript).digest('base64');
export const reportScriptSource = `'sha256-${hash}'`;
