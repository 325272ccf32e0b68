/**
 * The one script of an HTML report, by itself: a content security policy that lets it run names its
 * hash.
 */

/** Toggles of language and theme: the page reads without them. */
export const htmlScript = `
const root = document.documentElement;
for (const button of document.querySelectorAll('button[data-lang]')) button.addEventListener('click', () => { root.dataset.lang = button.dataset.lang; root.lang = button.dataset.lang; });
document.querySelector('button[data-theme]').addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
});`;
