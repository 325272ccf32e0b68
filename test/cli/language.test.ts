/** The language of what is printed, by the locale. */
import { expect, it } from 'vitest';
import { localeLanguage } from '#src/cli/language.js';

it.each<[NodeJS.ProcessEnv, string]>([
  [{}, 'en'],
  [{ LANG: 'zh_CN.UTF-8' }, 'zh'],
  [{ LANG: 'zh' }, 'zh'],
  [{ LANG: 'en_US.UTF-8', LC_MESSAGES: 'zh_TW' }, 'zh'],
  [{ LANG: 'zh_CN.UTF-8', LC_ALL: 'C' }, 'en'],
  [{ LANG: 'zh_CN.UTF-8', LC_ALL: '' }, 'zh'],
  [{ LANG: 'zhx' }, 'en'],
])('of %j is %s', (env, language) => expect(localeLanguage(env)).toBe(language));
