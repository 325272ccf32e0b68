/** Language of what is printed: the one asked for, else that of the locale. */

export type Language = 'en' | 'zh';

/** The language that the locale's environment variables name; English unless it is Chinese. */
export function localeLanguage(env: NodeJS.ProcessEnv = process.env): Language {
  const locale = [env['LC_ALL'], env['LC_MESSAGES'], env['LANG']].find((value) => value) ?? '';
  return /^zh\b|^zh_/i.test(locale) ? 'zh' : 'en';
}
