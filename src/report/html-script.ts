/**
 * The only script of an HTML report: toggles of language and theme, sorting of tables, and tips on
 * charts. The page can be read without it. A content security policy that allows it names its hash.
 */
export const htmlScript = `
const root = document.documentElement;
const remembered = (key) => {
  try { return localStorage.getItem('sae-eval-' + key); } catch { return null; }
};
const remember = (key, value) => {
  try { localStorage.setItem('sae-eval-' + key, value); } catch { /* private windows */ }
};

const parts = [...document.querySelectorAll('.report')];
const show = (lang) => {
  const part = parts.find((one) => one.dataset.lang === lang);
  if (!part) return;
  root.dataset.lang = lang;
  root.lang = lang;
  document.title = part.dataset.title;
};
for (const button of document.querySelectorAll('button[data-lang]'))
  button.addEventListener('click', () => {
    show(button.dataset.lang);
    remember('lang', button.dataset.lang);
  });
if ('languageOfReader' in root.dataset) {
  const wanted = [remembered('lang'), ...navigator.languages].filter(Boolean);
  const tongue = (lang) => lang.toLowerCase().split('-')[0];
  for (const lang of wanted) {
    const part = parts.find((one) => tongue(one.dataset.lang) === tongue(lang));
    if (part) { show(part.dataset.lang); break; }
  }
}

if (remembered('theme')) root.dataset.theme = remembered('theme');
for (const button of document.querySelectorAll('button[data-theme]'))
  button.addEventListener('click', () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    remember('theme', root.dataset.theme);
  });

const narrow = matchMedia('(max-width: 75rem)');
const fold = () => {
  for (const contents of document.querySelectorAll('.contents')) contents.open = !narrow.matches;
};
narrow.addEventListener('change', fold);
fold();

const valueOf = (cell) =>
  cell.dataset.sort !== undefined ? Number(cell.dataset.sort) : cell.textContent.trim();
const compare = (a, b) => {
  const numbers = [typeof a === 'number', typeof b === 'number'];
  if (numbers[0] && numbers[1]) return a - b;
  if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
  return a.localeCompare(b, undefined, { numeric: true });
};
for (const table of document.querySelectorAll('table.numbers')) {
  const body = table.tBodies[0];
  if (!table.tHead || body.rows.length < 2) continue;
  const first = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'sort';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const was = head.ariaSort;
      const order = was === 'ascending' ? 'descending' : was === 'descending' ? null : 'ascending';
      for (const other of heads) other.removeAttribute('aria-sort');
      if (order) head.ariaSort = order;
      const sign = order === 'descending' ? -1 : 1;
      const rows = order
        ? first.toSorted((a, b) => {
            const [x, y] = [valueOf(a.cells[column]), valueOf(b.cells[column])];
            // Missing values come last in both orders.
            return typeof x === typeof y ? sign * compare(x, y) : compare(x, y);
          })
        : first;
      body.append(...rows);
    });
  });
}

const tip = document.getElementById('tip');
// The script's tip takes the place of the browser's own.
for (const title of document.querySelectorAll('figure svg title')) {
  title.parentNode.dataset.tip = title.textContent;
  title.remove();
}
document.addEventListener('pointermove', (event) => {
  const target = event.target.closest?.('[data-tip]');
  tip.hidden = !target;
  if (!target) return;
  tip.textContent = target.dataset.tip;
  const { clientWidth, clientHeight } = root;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, clientWidth - width - 4)) + 'px';
  tip.style.top = Math.max(4, Math.min(event.clientY + 14, clientHeight - height - 4)) + 'px';
});
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('figure details')) details.open = true;
});`;
