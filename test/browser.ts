/** The browser of tests that look at a page or a report. Without one they are skipped. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

/** The shell comes first: it draws no windows, and its tests take two thirds of the time. */
export const executable = [
  process.env['CHROMIUM_PATH'] ?? '',
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => existsSync(path));
if (executable === undefined)
  console.warn(
    'Pages and reports are not looked at: there is no Chromium (Debian: apt-get install ' +
      'chromium-headless-shell).',
  );

export async function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: executable!,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
    ],
  });
}
