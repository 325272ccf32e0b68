/**
 * Takes the pictures of a report for docs/pictures:
 *
 *     node bench/pictures.mjs [report.html]     # default runs/demo/report.html
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const report = resolve(process.argv[2] ?? 'runs/demo/report.html');
const folder = fileURLToPath(new URL('../docs/pictures/', import.meta.url));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});
for (const [name, colorScheme, width, height, heading] of [
  ['light', 'light', 1360, 1500, 2],
  ['dark', 'dark', 1360, 1500, 7],
  ['phone', 'light', 390, 844, 2],
]) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(`file://${report}`);
  const y = await page.evaluate(
    (n) =>
      document.querySelectorAll('main:not([lang="zh-CN"]) h2')[n - 1].getBoundingClientRect().top +
      scrollY -
      20,
    heading,
  );
  await page.screenshot({
    path: `${folder}report-${name}.png`,
    clip: { x: 0, y, width, height },
    fullPage: true,
  });
  await page.close();
}
await browser.close();
