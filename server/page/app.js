/** Shows the view that the address after # names. */
import { announce, element, replace } from './elements.js';
import { apiDescription, askForKey, hasKey, openDocument } from './session.js';
import { showComparison } from './comparison.js';
import { showEvaluation } from './evaluation.js';
import { showForm } from './form.js';
import { showList } from './list.js';

const main = document.getElementById('main');
let leave = null;

const routes = [
  [/^$/, 'list', 'Evaluations', () => showList],
  [/^new$/, 'new', 'New evaluation', () => showForm],
  [/^evaluations\/([\w-]+)$/, 'list', 'Evaluation', (id) => (view) => showEvaluation(view, id)],
  [
    /^compare\/([\w,-]+)$/,
    'list',
    'Comparison',
    (ids) => (view) => showComparison(view, ids.split(',')),
  ],
];

async function show() {
  leave?.abort();
  const own = (leave = new AbortController());
  const path = decodeURIComponent(location.hash.replace(/^#\/?/, ''));
  const [pattern, name, title, view] =
    routes.find(([candidate]) => candidate.test(path)) ?? routes[0];
  document.title = `${title} · sae-eval`;
  for (const link of document.querySelectorAll('nav a[data-route]')) {
    if (link.dataset.route === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  replace(main, element('p', { class: 'soft' }, 'Loading…'));
  try {
    await view(...(pattern.exec(path) ?? []).slice(1))({ main, signal: own.signal });
    announce(title);
  } catch (error) {
    if (own.signal.aborted) return;
    replace(
      main,
      element('p', { class: 'problem', role: 'alert' }, error.message),
      element('p', {}, element('a', { href: '#/' }, 'All evaluations')),
    );
  }
}

document.getElementById('key-button').addEventListener('click', () => void askForKey().then(show));
document.getElementById('key-button').hidden = !hasKey();
document.getElementById('api-link').addEventListener('click', (event) => {
  if (!hasKey()) return;
  event.preventDefault();
  void openDocument(apiDescription, 'application/json');
});
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener('hashchange', () => {
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
  void show();
});
void show();
