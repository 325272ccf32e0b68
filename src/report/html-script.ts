/**
 * The only script of an HTML report: toggles of language and theme. The page can be read without
 * it. A content security policy that allows it names its hash.
 */
export const htmlScript = `
const root = document.documentElement;
for (const button of document.querySelectorAll('button[data-lang]'))
  button.addEventListener('click', () => {
    root.dataset.lang = button.dataset.lang;
    root.lang = button.dataset.lang;
  });
document.querySelector('button[data-theme]').addEventListener('click', () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
});`;
