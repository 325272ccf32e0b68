/** A page of the browser, and what is watched in it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

/** Folder that gets pictures of the page, for the documentation. */
const pictures = process.env['SAE_EVAL_PICTURES'];

/** Takes a picture of the upper part of a page, if pictures are asked for. */
export async function picture(name: string, page: Page): Promise<void> {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  const { width } = page.viewportSize()!;
  await page.screenshot({
    path: join(pictures, `page-${name}.png`),
    fullPage: true,
    clip: { x: 0, y: 0, width, height: Math.round(1.4 * Math.max(width, 900)) },
  });
}

/** What went wrong in a page: requests to other servers, and errors. */
export interface Watched {
  outside: string[];
  faults: string[];
}

export function watch(page: Page, url: string): Watched {
  const watched: Watched = { outside: [], faults: [] };
  page.on('request', (request) => {
    const asked = request.url();
    if (!asked.startsWith(url) && !asked.startsWith('blob:')) watched.outside.push(asked);
  });
  page.on('pageerror', (error) => watched.faults.push(error.stack ?? error.message));
  page.on('console', (message) => {
    if (
      message.type() === 'error' &&
      !message.text().includes('the server responded with a status of 4')
    )
      watched.faults.push(message.text());
  });
  return watched;
}

/** Runs in the browser: what a screen reader could not make sense of. */
export function accessibilityFaults(): string[] {
  const faults: string[] = [];
  const isShown = (node: Element): boolean => node.checkVisibility();
  const textOf = (ids: string | null): string =>
    (ids ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent ?? '')
      .join(' ')
      .trim();
  const nameOf = (node: Element): string => {
    const labels = [...((node as HTMLInputElement).labels ?? [])]
      .map((label) => label.textContent ?? '')
      .join(' ');
    return (
      (node.getAttribute('aria-label') ?? '').trim() ||
      textOf(node.getAttribute('aria-labelledby')) ||
      labels.trim() ||
      (node.matches('a, button, summary') ? (node.textContent ?? '').trim() : '')
    );
  };
  const tag = (node: Element): string => node.outerHTML.slice(0, 120);
  for (const node of document.querySelectorAll(
    'a, button, summary, input, select, textarea, progress, [role=region], [role=img], dialog, nav',
  ))
    if (isShown(node) && nameOf(node) === '') faults.push(`has no name: ${tag(node)}`);
  for (const image of document.querySelectorAll('img:not([alt])'))
    faults.push(`has no alt: ${tag(image)}`);
  for (const chart of document.querySelectorAll('svg'))
    if (isShown(chart) && chart.getAttribute('aria-hidden') !== 'true' && nameOf(chart) === '')
      faults.push(`has no name: ${tag(chart)}`);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids.filter((one, index) => ids.indexOf(one) !== index))
    faults.push(`id twice: ${id}`);
  for (const node of document.querySelectorAll(
    '[aria-labelledby], [aria-describedby], label[for]',
  )) {
    for (const id of (
      `${node.getAttribute('aria-labelledby') ?? ''} ` +
      `${node.getAttribute('aria-describedby') ?? ''} ${node.getAttribute('for') ?? ''}`
    )
      .split(' ')
      .filter((one) => one !== ''))
      if (document.getElementById(id) === null)
        faults.push(`names ${id}, which is not there: ${tag(node)}`);
  }
  let level = 0;
  for (const heading of [...document.querySelectorAll('h1, h2, h3, h4')].filter(isShown)) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) faults.push(`skips a level: ${tag(heading)}`);
    level = own;
  }
  if ([...document.querySelectorAll('h1')].filter(isShown).length !== 1)
    faults.push('has not one h1');
  if (document.querySelectorAll('main').length !== 1) faults.push('has not one main');
  if (document.documentElement.lang === '') faults.push('has no language');
  for (const cell of document.querySelectorAll('th:not([scope])'))
    faults.push(`has no scope: ${tag(cell)}`);
  for (const table of document.querySelectorAll('table'))
    if (isShown(table) && table.caption === null) faults.push(`has no caption: ${tag(table)}`);
  return faults;
}
