/** What Accept and Accept-Language prefer of what is offered (RFC 9110, 12.5). */
import { expect, it } from 'vitest';
import { negotiate, negotiateLanguage } from '#server/negotiate.js';

it.each([
  [undefined, 'en'],
  ['zh', 'zh'],
  ['zh-CN', 'zh'],
  ['zh-Hans-CN, zh;q=0.9, en;q=0.8', 'zh'],
  ['de-DE, de;q=0.9, en-GB;q=0.7, zh-TW;q=0.6', 'en'],
  ['en;q=0.2, ZH-CN;q=0.4', 'zh'],
  ['*', 'en'],
  ['de', null],
  ['zh;q=0, de', null],
])('Accept-Language %s: %s', (header, language) => {
  expect(negotiateLanguage(header, ['en', 'zh'] as const)).toBe(language);
});

it.each([
  ['text/html', 'text/html'],
  ['text/*;q=0.5, application/json', 'application/json'],
  ['*/*;q=0.1, text/markdown', 'text/markdown'],
  ['image/png', null],
])('Accept %s: %s', (header, type) => {
  expect(negotiate(header, ['text/markdown', 'text/html', 'application/json'])).toBe(type);
});
